"""Generate random events of the flyer app and write them to one file.

    python -m flyer_analytics.generate events.parquet --events 1000000

Each user makes visits, and a visit is a burst of events. numpy draws the visits, one
slice of a day at a time, as integers into a temporary database. One query then writes
them as text in any of the formats. Memory use is bounded for any number of events; the
temporary database takes some 15 bytes an event until the file is complete.

The same arguments give the same rows on every machine: all draws are computed with
exact arithmetic from the raw stream of PCG64, which numpy keeps stable, and not with
numpy's distributions, which may change.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]  # (rows,) of ROW

FORMATS = {
    ".csv": "format csv, header",
    ".csv.gz": "format csv, header, compression gzip",
    ".jsonl": "format json",
    ".parquet": "format parquet, compression zstd",
}
SLICE_ROWS = 500_000  # drawn at a time; a different number gives different events
MEMORY_LIMIT = "1GB"  # of the temporary database

# ---------- what a day looks like
EVENTS_PER_USER_AND_DAY = 10  # 17 per active user: many are not active on a given day
HEAVY_USER_SHARE = 0.10
DAY_WEIGHTS = [8, 7, 8, 10, 13, 21, 15]  # of Monday to Sunday
EVENTS_PER_VISIT = 7
EVENTS = ["flyer_open", "item_open", "list_flyers", "shopping_list_open", "favorite"]
EVENT_SHARES = [0.7217, 0.0750, 0.0413, 0.1496, 0.0124]
FLYER_OPEN, ITEM_OPEN, LIST_FLYERS, SHOPPING_LIST_OPEN, FAVORITE = range(5)
ITEM_OF_OPEN_FLYER_SHARE = 0.7  # the others come from a search and belong to any flyer
NULL_FLYERS, NULL_FLYER_SHARE = ["null", "%3Cnull%3G"], 0.22  # of item_open
NULL_MERCHANTS, NULL_MERCHANT_SHARE = ["NULL", "<null>"], 0.02  # of item_open
Z_SHARE = 0.02
FRACTION_SHARE = 0.02
LATE_SHARE = 0.01
REPEAT_EVERY = 250  # rows: 0.4 %
UNUSABLE_EVERY = 500  # rows: 0.2 %, more in a small file so that each kind occurs
UNUSABLE = UNKNOWN_EVENT, NO_USER, NO_SUCH_DATE, IN_1970, IN_2099 = range(1, 6)

# Curves: the values at evenly spaced quantiles. A draw falls with equal probability
# between any two neighbours.
# fmt: off
START_HOURS = np.array([  # of visits, local time
    0, 7, 8, 9, 10, 11, 11.8, 12.5, 13.3, 14.2, 15.2,
    16.2, 17.1, 17.9, 18.6, 19.2, 19.8, 20.4, 21.1, 22, 24,
])
GAP_SECS = np.array([  # within a visit: under 1 is a tie, over 1700 a long break
    0, 2, 4, 7, 12, 18, 25, 33, 43, 55, 70,
    90, 115, 150, 200, 270, 380, 560, 900, 1700, 9000,
])
LATE_SECS = np.array([180, 900, 3600, 14_400, 43_200, 130_000])  # from event to arrival
REPEAT_SECS = np.array([1, 10, 60])  # from arrival to its repeat
USER_RANKS = np.array([  # of visits, as a share of all users, busiest first
    0, 0.02, 0.045, 0.08, 0.125, 0.18, 0.25, 0.34, 0.46, 0.65, 1,
])
# fmt: on

# A row as drawn. The file is in the order of `arrival` (ms, UTC). `wall` is the local
# time of the event (ms since 1970-01-01T00:00:00 local time) and `zone` the 1-based
# index of its offset suffix. `flyer` and `merchant` are ids, 0 for none, or minus the
# 1-based index of a null token. `unusable` is one of UNUSABLE, or 0.
ROW = np.dtype(
    [
        ("arrival", np.int64),
        ("wall", np.int64),
        ("zone", np.int8),
        ("user", np.int32),
        ("event", np.int8),
        ("flyer", np.int32),
        ("merchant", np.int32),
        ("unusable", np.int8),
    ]
)
DRAWN_TABLE = """
    create table drawn (
        wall bigint,
        zone tinyint,
        "user" integer,
        event tinyint,
        flyer integer,
        merchant integer,
        unusable tinyint
    )
"""


@dataclass(frozen=True)
class Plan:
    """What to generate: `events` rows by `users` users on `days` days.

    Visits that would continue after the last midnight start earlier, so that they end before it.
    """

    events: int
    users: int
    days: int
    start: date
    seed: int
    timezone: ZoneInfo
    merchants: int | None = None  # by default as many as fit the number of events

    @property
    def loaded_at(self) -> datetime:
        """The `_loaded_at` of the file: 06:00 UTC, two days after the last day."""
        return datetime.combine(self.start + timedelta(days=self.days + 1), time(6))

    def midnight(self, day: int) -> int:
        """Return the start of the local day `day`, counted from 0 (ms, UTC)."""
        begin = self.start + timedelta(days=day)
        return int(datetime.combine(begin, time(), self.timezone).timestamp()) * 1000


class Draws:
    """Random numbers. Each `key` of small integers gives a separate stream."""

    def __init__(self, *key: int) -> None:
        """Start the stream of `key`."""
        self._bits = np.random.PCG64(key)

    def uniform(self, size: int) -> Floats:
        """Return (size,) numbers in [0, 1)."""
        raw: npt.NDArray[np.uint64] = self._bits.random_raw(size)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def chance(self, share: float, size: int) -> Flags:
        """Return (size,) flags, each true with the probability `share`."""
        return self.uniform(size) < share

    def below(self, limit: int, size: int) -> Ints:
        """Return (size,) integers in [0, limit)."""
        return (self.uniform(size) * limit).astype(np.int64)

    def curve(self, knots: Floats, size: int) -> Floats:
        """Return (size,) values of the curve `knots`."""
        return at_quantiles(knots, self.uniform(size))

    def pick(self, shares: Sequence[float] | Floats, size: int) -> Ints:
        """Return (size,) indexes into `shares`, with these probabilities."""
        ends = np.cumsum(shares)
        inner = ends[:-1] / ends[-1]
        return np.searchsorted(inner, self.uniform(size), side="right")


def at_quantiles(knots: Floats, quantiles: Floats) -> Floats:
    """Return the values of the curve `knots` at `quantiles` (0 to 1, any shape)."""
    place = quantiles * (len(knots) - 1)
    low = np.minimum(place.astype(np.int64), len(knots) - 2)
    values: Floats = knots[low] + (knots[low + 1] - knots[low]) * (place - low)
    return values


class Catalogue:
    """The flyers, most popular first, and the merchants that show them.

    There is one flyer per 10 events, but at least 40 and at most 2,000, and a third as
    many merchants. If the plan names the number of merchants, each has a flyer, and every
    fourth another one, and all have readers. Popularity falls with the rank (Zipf's law).
    """

    def __init__(self, plan: Plan) -> None:
        """Draw the catalogue of `plan`."""
        draws = Draws(plan.seed, 0)
        if plan.merchants is None:
            size = max(40, min(2000, plan.events // 10))
            merchants = make_ids(draws, size // 3, first=6000, step=5)
            owner = (np.square(draws.uniform(size)) * len(merchants)).astype(np.int64)
            first_rank = 8
        else:
            size = plan.merchants + plan.merchants // 4
            merchants = make_ids(draws, plan.merchants, first=6000, step=5)
            owner = np.arange(size) % plan.merchants
            first_rank = 25  # the least popular flyer has half of the views of the most popular one
        shared = np.arange(size) % 33 == 5
        self._merchants = merchants[owner]
        self._other_merchants = merchants[(owner + shared) % len(merchants)]
        self._flyers = make_ids(draws, size, first=3_000_000, step=1000)
        self._popularity = 1 / (np.arange(size) + first_rank)

    def draw(self, draws: Draws, size: int) -> tuple[Ints, Ints]:
        """Return the ids of (size,) flyers and of the merchants that show them."""
        flyer = draws.pick(self._popularity, size)
        other = draws.chance(0.5, size)
        merchant = np.where(other, self._other_merchants[flyer], self._merchants[flyer])
        return self._flyers[flyer], merchant


def make_ids(draws: Draws, size: int, first: int, step: int) -> Ints:
    """Return (size,) distinct ids from `first` on, shuffled, up to `step` apart.

    Every 50th has one digit less and is written with a leading zero.
    """
    ids = first + np.cumsum(1 + draws.below(step, size))
    ids = ids[np.argsort(draws.uniform(size), kind="stable")]
    return np.where(np.arange(size) % 50 == 7, ids // 10, ids)


class Clock:
    """Local time, looked up by quarter-hour: offsets change only between those."""

    QUARTER_MS = 900_000

    def __init__(self, plan: Plan) -> None:
        """Look up the offsets of the plan's days and of two more weeks for late visits."""
        self._first = plan.midnight(0) // self.QUARTER_MS
        quarters = range(self._first, plan.midnight(plan.days + 14) // self.QUARTER_MS)
        shown = [datetime.fromtimestamp(quarter * self.QUARTER_MS // 1000, plan.timezone) for quarter in quarters]
        offsets = [at.utcoffset() or timedelta() for at in shown]
        self._offset_ms = np.array([int(at.total_seconds()) * 1000 for at in offsets])
        suffixes = [at.isoformat()[-6:] for at in shown]
        self.suffixes = ["Z", *sorted(set(suffixes))]
        self._zones = np.array([self.suffixes.index(at) + 1 for at in suffixes])

    def read(self, at: Ints, utc: Flags) -> tuple[Ints, Ints]:
        """Return `wall` and `zone` of ROW at the instants `at` (ms, UTC).

        Where `utc` is true, they are in UTC. All arrays have the same shape.
        """
        quarter = at // self.QUARTER_MS - self._first
        offset = np.take(self._offset_ms, quarter, mode="clip")
        zone = np.take(self._zones, quarter, mode="clip")
        return np.where(utc, at, at + offset), np.where(utc, 1, zone)


@dataclass(frozen=True)
class Slice:
    """A part of a local day with the `rows` that are drawn for it."""

    rows: range  # row numbers in the plan, from 0
    day_ms: tuple[int, int]  # start and end of the day (UTC)
    quantiles: tuple[float, float]  # which part of the day's visits start in it

    def starts(self, shares: Floats) -> Ints:
        """Return the start times of visits (ms, UTC, whole seconds).

        `shares` (any shape) are their positions within the slice, from 0 to 1.
        """
        low, high = self.quantiles
        begin, end = self.day_ms
        hours = at_quantiles(START_HOURS, low + shares * (high - low))
        return begin + (hours / 24 * ((end - begin) // 1000)).astype(np.int64) * 1000

    @property
    def end_ms(self) -> int:
        """The instant (ms, UTC) from which on visits of later slices start."""
        return int(self.starts(np.ones(1))[0])


def slice_days(plan: Plan) -> Iterator[Slice]:
    """Split the plan's days into slices of at most SLICE_ROWS rows, in order of time."""
    weights = [DAY_WEIGHTS[(plan.start + timedelta(days=day)).weekday()] for day in range(plan.days)]
    cuts = math.ceil(plan.events * max(weights) / sum(weights) / SLICE_ROWS)
    for number in range(plan.days * cuts):
        day, part = divmod(number, cuts)
        before = sum(weights[:day]) * cuts + weights[day] * part  # of this slice, in weights by cuts
        edges = (before, before + weights[day])
        first, end = (plan.events * edge // (sum(weights) * cuts) for edge in edges)
        yield Slice(
            rows=range(first, end),
            day_ms=(plan.midnight(day), plan.midnight(day + 1)),
            quantiles=(part / cuts, (part + 1) / cuts),
        )


def draw_rows(plan: Plan, catalogue: Catalogue, clock: Clock, part: Slice, draws: Draws) -> Rows:
    """Return the rows of a slice, visit by visit, as (len(part.rows),) of ROW."""
    size = len(part.rows)
    rows = np.zeros(size, ROW)
    begins = draws.chance(1 / EVENTS_PER_VISIT, size)
    begins[:1] = True
    visit = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)  # of each visit

    rows["user"] = draw_users(draws, plan.users, len(first))[visit]
    draw_screens(rows, draws, catalogue, first[visit])

    gaps = np.where(begins, 0, draws.curve(GAP_SECS, size).astype(np.int64)) * 1000
    since = np.cumsum(gaps)
    start = part.starts(draws.uniform(len(first)))
    length = np.append(since[first[1:] - 1], since[-1:]) - since[first]
    start = np.minimum(start, plan.midnight(plan.days) - 1000 - length)
    at = (start - since[first])[visit] + since
    at += draws.chance(FRACTION_SHARE, size) * (1 + draws.below(999, size))
    rows["wall"], rows["zone"] = clock.read(at, draws.chance(Z_SHARE, size))

    late = draws.chance(LATE_SHARE, size) * draws.curve(LATE_SECS, size)
    rows["arrival"] = at + draws.below(3000, size) + (late * 1000).astype(np.int64)
    numbers = np.arange(part.rows.start, part.rows.stop)
    add_repeats(rows, draws, numbers)
    rows["unusable"] = mark_unusable(plan, numbers)
    return rows


def draw_users(draws: Draws, users: int, size: int) -> Ints:
    """Return the users of (size,) visits, in [0, users). User 0 is the heavy user."""
    heavy = draws.chance(HEAVY_USER_SHARE, size)
    other = 1 + (draws.curve(USER_RANKS, size) * (users - 1)).astype(np.int64)
    return np.where(heavy, 0, np.minimum(other, users - 1))


def draw_screens(rows: Rows, draws: Draws, catalogue: Catalogue, first: Ints) -> None:
    """Set event, flyer and merchant of `rows`.

    `first` (rows,) holds the index of the first row of each row's visit.
    """
    size = len(rows)
    event = draws.pick(EVENT_SHARES, size)
    is_item = event == ITEM_OPEN
    flyer, merchant = catalogue.draw(draws, size)

    # Most items and all favorites belong to the flyer last opened in the visit, if any.
    index = np.arange(size)
    opened = np.maximum.accumulate(np.where(event == FLYER_OPEN, index, -1))
    stays = is_item & draws.chance(ITEM_OF_OPEN_FLYER_SHARE, size)
    stays |= event == FAVORITE
    source = np.where(stays & (opened >= first), opened, index)
    flyer, merchant = flyer[source], merchant[source]

    flyer[(event != FLYER_OPEN) & ~is_item] = 0
    merchant[(event == LIST_FLYERS) | (event == SHOPPING_LIST_OPEN)] = 0
    no_flyer = is_item & draws.chance(NULL_FLYER_SHARE, size)
    flyer_token = -1 - draws.below(len(NULL_FLYERS), size)
    no_merchant = is_item & draws.chance(NULL_MERCHANT_SHARE, size)
    merchant_token = -1 - draws.below(len(NULL_MERCHANTS), size)
    rows["event"] = event
    rows["flyer"] = np.where(no_flyer, flyer_token, flyer)
    rows["merchant"] = np.where(no_merchant, merchant_token, merchant)


def add_repeats(rows: Rows, draws: Draws, numbers: Ints) -> None:
    """Replace some `rows` by a repeat of the row before, which arrives later.

    `numbers` (rows,) are the row numbers in the plan.
    """
    repeats = np.flatnonzero(numbers % REPEAT_EVERY == REPEAT_EVERY // 2)
    repeats = repeats[repeats > 0]
    rows[repeats] = rows[repeats - 1]
    delay = draws.curve(REPEAT_SECS, len(repeats))
    rows["arrival"][repeats] += (delay * 1000).astype(np.int64)


def mark_unusable(plan: Plan, numbers: Ints) -> Ints:
    """Return `unusable` of ROW for the rows with these `numbers`, each kind in turn."""
    every = max(200, min(UNUSABLE_EVERY, plan.events // len(UNUSABLE)))
    turn, rest = np.divmod(numbers, every)
    return np.where(rest == every - 1, np.array(UNUSABLE)[turn % len(UNUSABLE)], 0)


def draw_file(plan: Plan, clock: Clock) -> Iterator[Rows]:
    """Yield the plan's rows in the order of the file, in pieces of (any,) of ROW.

    Rows that arrive after the end of their slice, because they are late or their visit
    is long, are held back until it is their turn.
    """
    catalogue = Catalogue(plan)
    waiting = np.zeros(0, ROW)
    for number, part in enumerate(slice_days(plan), start=1):
        rows = draw_rows(plan, catalogue, clock, part, Draws(plan.seed, number))
        waiting = np.concatenate([waiting, rows])
        waiting = waiting.take(np.argsort(waiting["arrival"], kind="stable"))
        arrived = np.searchsorted(waiting["arrival"], part.end_ms)
        yield waiting[:arrived]
        waiting = waiting[arrived:]
    yield waiting


def text_columns(plan: Plan, suffixes: list[str]) -> dict[str, str]:
    """Return the file's columns as SQL over the table `drawn`; all are text."""
    at = "make_timestamp_ms(wall)"
    return {
        "timestamp": f"""
            case unusable
                when {NO_SUCH_DATE} then strftime({at}, '%Y-02-30T%H:%M:%S')
                when {IN_1970} then strftime({at}, '1970-01-01T%H:%M:%S')
                when {IN_2099} then strftime({at}, '2099-12-31T%H:%M:%S')
                else strftime({at}, '%Y-%m-%dT%H:%M:%S')
            end
            || case when wall % 1000 > 0 then strftime({at}, '.%g') else '' end
            || {suffixes}[zone]
        """,
        "user_id": f"""
            case when unusable <> {NO_USER} then sha256('{plan.seed}:' || "user") end
        """,
        "event": f"""
            case
                when unusable = {UNKNOWN_EVENT} then 'video_play'
                else {EVENTS}[event + 1]
            end
        """,
        "flyer_id": f"""
            case
                when flyer > 0 then lpad(cast(flyer as varchar), 7, '0')
                when flyer < 0 then {NULL_FLYERS}[-flyer]
            end
        """,
        "merchant_id": f"""
            case
                when merchant > 0 then lpad(cast(merchant as varchar), 4, '0')
                when merchant < 0 then {NULL_MERCHANTS}[-merchant]
            end
        """,
    }


def load_columns(plan: Plan, source_file: str) -> dict[str, str]:
    """Return the columns, as SQL, that loading a file with that name adds."""
    return {
        "_source_file": quote(source_file),
        "_source_row": "rowid + 2",  # rowid starts at 0, and line 1 is the header
        "_loaded_at": f"timestamp '{plan.loaded_at}'",
    }


def quote(text: str) -> str:
    """Return `text` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def file_format(out: Path) -> str | None:
    """Return DuckDB's options for the format of the file extension, None if unknown."""
    return next((FORMATS[end] for end in FORMATS if out.name.endswith(end)), None)


def generate(plan: Plan, out: Path, as_loaded: bool = False) -> None:
    """Write the plan's events to `out`, in the format of its file extension.

    An existing file is replaced atomically, once the new one is complete.

    Raises ValueError for an unknown format, OSError or duckdb.Error if writing fails.
    """
    options = file_format(out)
    if options is None:
        raise ValueError(f"{out.name} must end in one of {', '.join(FORMATS)}")
    clock = Clock(plan)
    columns = text_columns(plan, clock.suffixes)
    if as_loaded:
        columns |= load_columns(plan, out.name)
        columns["user_id"] = f"left({columns['user_id']}, 12)"  # for a small file
    select = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        written = Path(scratch, out.name)
        with duckdb.connect(Path(scratch, "drawn.duckdb")) as con:
            con.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
            con.execute(DRAWN_TABLE)
            drawn = 0
            for rows in draw_file(plan, clock):
                append(con, rows)
                drawn += len(rows)
                report(plan, f"{drawn:,} of {plan.events:,} events drawn")
            report(plan, f"writing {out.name}")
            con.execute(f"copy (select {select} from drawn) to {quote(str(written))} ({options})")
        written.replace(out)
        report(plan, "")


def append(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    """Append `rows` to the table `drawn`, in their order."""
    columns: Any = {name: rows[name].copy() for name in ROW.names or ()}
    con.register("piece", columns)
    con.execute("insert into drawn select * exclude (arrival) from piece")
    con.unregister("piece")


def report(plan: Plan, line: str) -> None:
    """Show `line` in place of the one before, if the run is long and in a terminal."""
    if plan.events > SLICE_ROWS and sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


# ---------- command line: each parser raises ArgumentTypeError with what is allowed
def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def first_day(text: str) -> date:
    """Parse a date from 2000 to 2080, far from the unusable years 1970 and 2099."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2080:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date from 2000-01-01 to 2080-12-31")
    return day


def time_zone(text: str) -> ZoneInfo:
    """Parse the name of a time zone."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a known time zone, such as America/Toronto") from None


def output_file(text: str) -> Path:
    """Parse the path of a file that can be written."""
    out = Path(text)
    if file_format(out) is None:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {', '.join(FORMATS)}")
    if not out.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: folder {str(out.parent)!r} does not exist")
    if out.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, not a file")
    return out


def read_arguments(arguments: Sequence[str] | None) -> tuple[Plan, Path, bool]:
    """Return the plan, the file and `as_loaded`. Raises SystemExit for invalid arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.generate",
        description="Generate random events of the flyer app and write them to one file.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "out",
        metavar="OUT",
        type=output_file,
        help=f"file to write or replace, extension {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--events", metavar="N", type=whole_number(1, 10**11), required=True, help="number of rows, without the header"
    )
    parser.add_argument(
        "--users",
        metavar="N",
        type=whole_number(1, 10**9),
        help=f"number of users (default: one per {EVENTS_PER_USER_AND_DAY} events a day)",
    )
    parser.add_argument(
        "--merchants",
        metavar="N",
        type=whole_number(1, 2000),
        help="number of merchants (default: one per 30 events, from 13 to 666)",
    )
    parser.add_argument(
        "--days",
        metavar="N",
        type=whole_number(1, 3660),
        default=7,
        help="number of days (default: %(default)s)",
    )
    parser.add_argument(
        "--start",
        metavar="YYYY-MM-DD",
        type=first_day,
        default="2018-11-01",
        help="first day (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=whole_number(0, 2**32 - 1),
        default=1,
        help="seed of the random numbers (default: %(default)s)",
    )
    parser.add_argument(
        "--timezone",
        metavar="ZONE",
        type=time_zone,
        default="America/Toronto",
        help="time zone of the users (default: %(default)s)",
    )
    parser.add_argument(
        "--as-loaded",
        action="store_true",
        help="add the columns _source_file, _source_row and _loaded_at, and shorten user_id",
    )
    given = vars(parser.parse_args(arguments))
    out, as_loaded = given.pop("out"), given.pop("as_loaded")
    if given["users"] is None:
        per_user = EVENTS_PER_USER_AND_DAY * given["days"]
        given["users"] = max(1, given["events"] // per_user)
    return Plan(**given), out, as_loaded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, or 1 if the file could not be written."""
    plan, out, as_loaded = read_arguments(arguments)
    try:
        generate(plan, out, as_loaded)
    except (OSError, duckdb.Error) as error:
        report(plan, "")
        print(f"{out} could not be written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
