"""An independent oracle for the two marts, written from the definitions alone.

It shares nothing with the SQL: it sorts each user's events and walks them in a
loop. Instants are integer microseconds since 1970-01-01 UTC, so every sum is
exact; a published figure is rounded once, from the exact value.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

Value = Decimal | int | None
UserKey = tuple[str, date]
MerchantKey = tuple[str | None, str, str, date]
DailyKey = tuple[str | None, str, date]
HourlyKey = tuple[str | None, date, int | None]

SHOWS_FLYER = "shows_flyer"
LEAVES_FLYER = "leaves_flyer"
NEUTRAL = "neutral"

NEXT_FLYER = "next_flyer"
LEFT = "left"
IDLE = "idle"
END_OF_LOG = "end_of_log"

COLUMNS = ("timestamp", "user_id", "event", "flyer_id", "merchant_id")
BLANKS = " \t\r\n"
NULL_IDS = frozenset(
    {"", "null", "<null>", "(null)", "%3cnull%3e", "%3cnull%3g", "\\n", "none", "nan", "n/a", "undefined"}
)
MAX_ID_LENGTH = 256

MICROS = 1_000_000
EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

TIMESTAMP = re.compile(
    r"""
    (?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})
    [Tt\x20]
    (?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})
    (?: :(?P<second>[0-9]{2}) (?:\.(?P<fraction>[0-9]{1,9}))? )?
    (?:
        \x20?
        (?:
            (?P<utc>Z|UTC|GMT)
          | (?P<sign>[+-])(?P<offset_hour>[0-9]{2})(?::?(?P<offset_minute>[0-9]{2}))?
        )
    )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

# A number as programs write floats: with a point, or with an exponent after one digit. Without a point and a plus sign,
# an `e` between digits may be that of a hexadecimal id.
FLOAT = re.compile(
    r"""
    -?
    (?:
        (?: 0 | [1-9][0-9]* ) \.[0-9]*
      | (?=.*[.+]) (?: 0(?:\.0*)? | [1-9](?:\.[0-9]*)? ) e \+?0?[0-9]{1,2}
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def _default_roles() -> Mapping[str, str]:
    return {
        "flyer_open": SHOWS_FLYER,
        "item_open": SHOWS_FLYER,
        "list_flyers": LEAVES_FLYER,
        "shopping_list_open": LEAVES_FLYER,
        "flyer_close": LEAVES_FLYER,
        "app_background": LEAVES_FLYER,
        "favorite": NEUTRAL,
    }


@dataclass(frozen=True)
class RawRow:
    """One delivered row, as it came."""

    timestamp: str | None
    user_id: str | None
    event: str | None
    flyer_id: str | None
    merchant_id: str | None
    position: int | None
    """Line in its file, where it is known."""
    loaded_at: datetime
    """Naive, UTC."""


@dataclass(frozen=True)
class Settings:
    reporting_timezone: str = "America/Toronto"
    source_timezone: str = "UTC"
    max_gap_secs: int = 7600
    inactivity_timeout_secs: int = 1800
    earliest_event_date: date = date(2000, 1, 1)
    max_clock_skew_secs: int = 300
    min_readers: int = 5
    roles: Mapping[str, str] = field(default_factory=_default_roles)
    items: frozenset[str] = frozenset({"item_open"})
    favorites: frozenset[str] = frozenset({"favorite"})

    def __post_init__(self) -> None:
        unknown = set(self.roles.values()) - {SHOWS_FLYER, LEAVES_FLYER, NEUTRAL}
        if unknown:
            raise ValueError(f"unknown roles: {sorted(unknown)}")


@dataclass(frozen=True)
class Event:
    """One usable event; exact repeats are one event with several deliveries."""

    at_us: int
    date: date
    user_id: str
    event: str
    role: str
    flyer_id: str | None
    merchant_id: str | None
    position: int | None
    deliveries: int


@dataclass(frozen=True)
class Cleaned:
    """len(rows) == len(events) + repeats + len(rejected), always."""

    events: list[Event]
    repeats: int
    rejected: list[tuple[RawRow, str]]


@dataclass(frozen=True)
class View:
    """One unbroken run of a user's flyer events on one flyer of one merchant."""

    user_id: str
    date: date
    merchant_id: str | None
    flyer_id: str
    started_at_us: int
    started_with: str
    last_event_at_us: int
    events: int
    items_opened: int
    view_secs: Decimal | None
    end_reason: str
    went_to_other_merchant: bool


@dataclass(frozen=True)
class Session:
    """One run of a user's events in which a flyer was shown at least once."""

    user_id: str
    date: date
    started_at_us: int
    ended_at_us: int
    events: int
    flyer_events: int


@dataclass(frozen=True)
class Marts:
    user_daily: dict[UserKey, dict[str, Value]]
    merchant: dict[MerchantKey, dict[str, Value]]
    merchant_daily: dict[DailyKey, dict[str, Value]]
    merchant_hourly: dict[HourlyKey, dict[str, Value]]
    views: list[View]
    sessions: list[Session]


# --- Reading ----------------------------------------------------------------


def read_csv(path: str | Path, loaded_at: datetime) -> list[RawRow]:
    """Read a file of events; `position` is the line on which the row begins."""
    rows: list[RawRow] = []
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise ValueError(f"{path}: the header lacks {missing}")
        last_line = reader.line_num
        for fields in reader:
            line, last_line = last_line + 1, reader.line_num
            if not fields:  # an empty line
                continue
            if len(fields) != len(header):
                raise ValueError(f"{path}, line {line}: {len(fields)} fields")
            values = {name: value or None for name, value in zip(header, fields, strict=True)}
            rows.append(
                RawRow(
                    timestamp=values["timestamp"],
                    user_id=values["user_id"],
                    event=values["event"],
                    flyer_id=values["flyer_id"],
                    merchant_id=values["merchant_id"],
                    position=line,
                    loaded_at=loaded_at,
                )
            )
    return rows


# --- Cleaning ---------------------------------------------------------------


def clean(rows: Iterable[RawRow], settings: Settings) -> Cleaned:
    """Turn raw rows into events, and keep apart what cannot be used."""
    source_zone = _zone(settings.source_timezone)
    reporting_zone = _zone(settings.reporting_timezone)
    earliest_us = _midnight_us(settings.earliest_event_date)

    copies: dict[tuple[int, str, str, str | None, str | None], list[RawRow]] = defaultdict(list)
    rejected: list[tuple[RawRow, str]] = []

    for row in rows:
        timestamp = _trim(row.timestamp)
        user_id = clean_id(row.user_id)
        event = _trim(row.event)
        flyer_id = clean_id(row.flyer_id)
        merchant_id = clean_id(row.merchant_id)

        if timestamp == "":
            rejected.append((row, "missing_timestamp"))
            continue
        at_us = parse_timestamp(timestamp, source_zone)
        if at_us is None:
            rejected.append((row, "unparseable_timestamp"))
            continue
        if at_us < earliest_us:
            rejected.append((row, "timestamp_too_old"))
            continue
        latest_us = _naive_us(row.loaded_at) + settings.max_clock_skew_secs * MICROS
        if at_us > latest_us:
            rejected.append((row, "future_timestamp"))
            continue
        if user_id is None:
            rejected.append((row, "missing_user_id"))
            continue
        if event == "":
            rejected.append((row, "missing_event"))
            continue
        if event not in settings.roles:
            rejected.append((row, "unknown_event"))
            continue
        if any(len(_trim(text)) > MAX_ID_LENGTH for text in (row.user_id, row.flyer_id, row.merchant_id)):
            rejected.append((row, "id_too_long"))
            continue
        copies[at_us, user_id, event, flyer_id, merchant_id].append(row)

    events: list[Event] = []
    repeats = 0
    for (at_us, user_id, event, flyer_id, merchant_id), same in copies.items():
        known_positions = [row.position for row in same if row.position is not None]
        events.append(
            Event(
                at_us=at_us,
                date=_local_date(at_us, reporting_zone),
                user_id=user_id,
                event=event,
                role=settings.roles[event],
                flyer_id=flyer_id,
                merchant_id=merchant_id,
                position=min(known_positions, default=None),
                deliveries=len(same),
            )
        )
        repeats += len(same) - 1

    events.sort(key=lambda e: (e.user_id, _order(e)))
    return Cleaned(events=events, repeats=repeats, rejected=rejected)


def parse_timestamp(text: str, source_zone: tzinfo) -> int | None:
    """Microseconds since the epoch, or None where the text is no timestamp."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None

    try:
        day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    hour, minute, second = (int(match[n] or "0") for n in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        return None
    micros = int((match["fraction"] or "").ljust(6, "0")[:6])
    wall_us = _midnight_us(day) + (hour * 3600 + minute * 60 + second) * MICROS + micros

    if match["utc"]:
        return wall_us
    if match["sign"]:
        offset_hour = int(match["offset_hour"])
        offset_minute = int(match["offset_minute"] or "0")
        if offset_hour > 14 or offset_minute > 59:
            return None
        offset_us = (offset_hour * 3600 + offset_minute * 60) * MICROS
        return wall_us + offset_us if match["sign"] == "-" else wall_us - offset_us

    # A local time. `fold` picks between the offsets before (0) and after (1) a
    # change of clocks; away from one they are equal.
    wall = datetime(day.year, day.month, day.day, hour, minute, second)
    before = _offset_us(wall, 0, source_zone)
    after = _offset_us(wall, 1, source_zone)
    if before > after:  # repeated: the later instant
        return wall_us - after
    return wall_us - before  # skipped: the offset before the jump


def _trim(text: str | None) -> str:
    return "" if text is None else text.strip(BLANKS)


def clean_id(text: str | None) -> str | None:
    """The text without blanks, or if it is a whole number, its digits; None where it stands for a missing id."""
    trimmed = _trim(text)
    if trimmed.lower() in NULL_IDS:
        return None
    if FLOAT.fullmatch(trimmed):
        number = Decimal(trimmed)
        if number == number.to_integral_value():
            return str(int(number))
    return trimmed


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _midnight_us(day: date) -> int:
    return (day.toordinal() - EPOCH_ORDINAL) * 86_400 * MICROS


def _naive_us(moment: datetime) -> int:
    if moment.tzinfo is not None:
        raise ValueError("loaded_at must be naive, in UTC")
    return (moment - EPOCH) // timedelta(microseconds=1)


def _offset_us(wall: datetime, fold: int, zone: tzinfo) -> int:
    offset = wall.replace(tzinfo=zone, fold=fold).utcoffset()
    if offset is None:
        raise ValueError(f"{zone} has no offset at {wall}")
    return offset // timedelta(microseconds=1)


def _local_date(at_us: int, zone: tzinfo) -> date:
    return _local_time(at_us, zone).date()


def _local_hour(at_us: int, zone: tzinfo) -> int:
    return _local_time(at_us, zone).hour


def _local_time(at_us: int, zone: tzinfo) -> datetime:
    instant = (EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=UTC)
    return instant.astimezone(zone)


def _order(event: Event) -> tuple[object, ...]:
    """The order within a user: instant, position, hash of what happened, what happened; unknown comes last."""
    flyer, merchant = event.flyer_id or "", event.merchant_id or ""
    hashed = hashlib.md5(f"{event.event}|{flyer}|{merchant}".encode(), usedforsecurity=False).hexdigest()
    position = (event.position is None, event.position or 0)
    return (event.at_us, position, hashed, event.event, (flyer == "", flyer), (merchant == "", merchant))


# --- Measuring --------------------------------------------------------------


@dataclass(frozen=True)
class _Gap:
    """A counted gap of measure 1, credited to the flyer just opened."""

    user_id: str
    date: date
    merchant_id: str | None
    flyer_id: str
    micros: int


@dataclass
class _Tally:
    """What is gathered for one row of a mart."""

    gap_us: int = 0
    measured_gaps: int = 0
    view_us: int = 0
    measured_views: int = 0
    views: int = 0
    flyers: set[str] = field(default_factory=set)
    sessions: int = 0

    def add_gap(self, gap: _Gap) -> None:
        self.gap_us += gap.micros
        self.measured_gaps += 1

    def add_view(self, view: View, micros: int | None) -> None:
        self.views += 1
        self.flyers.add(view.flyer_id)
        if micros is not None:
            self.view_us += micros
            self.measured_views += 1


def measure(events: Iterable[Event], settings: Settings) -> Marts:
    """Both measures, over events in any order."""
    by_user: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_user[event.user_id].append(event)

    gaps: list[_Gap] = []
    views: list[tuple[View, int | None]] = []
    sessions: list[Session] = []
    for user_id in sorted(by_user):
        ordered = sorted(by_user[user_id], key=_order)
        gaps.extend(_gaps(ordered, settings))
        views.extend(_views(ordered, settings))
        sessions.extend(_sessions(ordered, settings))

    # A view or a counted gap makes a row.
    users: dict[UserKey, _Tally] = defaultdict(_Tally)
    merchants: dict[MerchantKey, _Tally] = defaultdict(_Tally)
    for gap in gaps:
        users[gap.user_id, gap.date].add_gap(gap)
        merchants[gap.merchant_id, gap.flyer_id, gap.user_id, gap.date].add_gap(gap)
    for view, micros in views:
        users[view.user_id, view.date].add_view(view, micros)
        merchants[view.merchant_id, view.flyer_id, view.user_id, view.date].add_view(view, micros)
    # A flyer session by itself does not.
    for session in sessions:
        tally = users.get((session.user_id, session.date))
        if tally is not None:
            tally.sessions += 1

    cells: dict[DailyKey, list[tuple[View, int | None]]] = defaultdict(list)
    for view, micros in views:
        cells[view.merchant_id, view.flyer_id, view.date].append((view, micros))
    favorites: dict[tuple[str | None, date], list[str]] = defaultdict(list)
    for user_events in by_user.values():
        for event in user_events:
            if event.event in settings.favorites:
                favorites[event.merchant_id, event.date].append(event.user_id)

    return Marts(
        user_daily={key: _user_columns(tally) for key, tally in users.items()},
        merchant={key: _merchant_columns(tally) for key, tally in merchants.items()},
        merchant_daily={
            key: _daily_columns(cell, [] if key[0] is None else favorites[key[0], key[2]], settings.min_readers)
            for key, cell in cells.items()
        },
        merchant_hourly=_hours(cells, settings),
        views=[view for view, _ in views],
        sessions=sessions,
    )


def _known_flyer(event: Event) -> str | None:
    """The flyer that the event puts on screen, if it puts a known one there."""
    return event.flyer_id if event.role == SHOWS_FLYER else None


def _gaps(ordered: list[Event], settings: Settings) -> Iterator[_Gap]:
    """Measure 1: the time since the user's previous event with a known flyer."""
    previous: Event | None = None
    for event in ordered:
        flyer_id = _known_flyer(event)
        if flyer_id is None:
            continue
        if previous is not None:
            micros = event.at_us - previous.at_us
            if micros < settings.max_gap_secs * MICROS:
                yield _Gap(
                    user_id=event.user_id,
                    date=event.date,
                    merchant_id=event.merchant_id,
                    flyer_id=flyer_id,
                    micros=micros,
                )
        previous = event


def _views(ordered: list[Event], settings: Settings) -> Iterator[tuple[View, int | None]]:
    """Measure 2: each view, with its measured microseconds."""
    timeout_us = settings.inactivity_timeout_secs * MICROS
    screens = [event for event in ordered if event.role != NEUTRAL]

    first: Event | None = None  # the first event of the view that is open
    count = 0
    items = 0
    micros: int | None = None

    for index, event in enumerate(screens):
        then = screens[index + 1] if index + 1 < len(screens) else None
        flyer_id = _known_flyer(event)
        if flyer_id is None:
            continue  # the view before it was closed when this was `then`

        if first is None:
            first, count, items, micros = event, 0, 0, None
        count += 1
        items += event.event in settings.items

        if then is None:
            end_reason = END_OF_LOG
        else:
            on_screen = then.at_us - event.at_us
            if on_screen < timeout_us:
                micros = (micros or 0) + on_screen
            if on_screen >= timeout_us:
                end_reason = IDLE
            elif _known_flyer(then) is None:
                end_reason = LEFT
            elif (then.flyer_id, then.merchant_id) != (flyer_id, event.merchant_id):
                end_reason = NEXT_FLYER
            else:
                continue  # the same view goes on

        view = View(
            user_id=first.user_id,
            date=first.date,
            merchant_id=first.merchant_id,
            flyer_id=flyer_id,
            started_at_us=first.at_us,
            started_with=first.event,
            last_event_at_us=event.at_us,
            events=count,
            items_opened=items,
            view_secs=None if micros is None else Decimal(micros).scaleb(-6),
            end_reason=end_reason,
            went_to_other_merchant=end_reason == NEXT_FLYER
            and then is not None
            and then.merchant_id != event.merchant_id,
        )
        yield view, micros
        first = None


def _sessions(ordered: list[Event], settings: Settings) -> Iterator[Session]:
    """The runs of events, of any kind, in which a flyer was shown."""
    timeout_us = settings.inactivity_timeout_secs * MICROS
    runs: list[list[Event]] = [[event] for event in ordered[:1]]
    for earlier, later in pairwise(ordered):
        if later.at_us - earlier.at_us < timeout_us:
            runs[-1].append(later)
        else:
            runs.append([later])

    for run in runs:
        flyer_events = sum(_known_flyer(event) is not None for event in run)
        if flyer_events:
            yield Session(
                user_id=run[0].user_id,
                date=run[0].date,
                started_at_us=run[0].at_us,
                ended_at_us=run[-1].at_us,
                events=len(run),
                flyer_events=flyer_events,
            )


# --- Publishing -------------------------------------------------------------


def _user_columns(tally: _Tally) -> dict[str, Value]:
    return _merchant_columns(tally) | {"flyers": len(tally.flyers), "sessions": tally.sessions}


def _merchant_columns(tally: _Tally) -> dict[str, Value]:
    return {
        "total_time_spent_in_secs": _total(tally.gap_us, tally.measured_gaps),
        "avg_time_spent_in_secs": _average(tally.gap_us, tally.measured_gaps),
        "measured_gaps": tally.measured_gaps,
        "total_view_secs": _total(tally.view_us, tally.measured_views),
        "avg_view_secs": _average(tally.view_us, tally.measured_views),
        "measured_views": tally.measured_views,
        "views": tally.views,
    }


def _readers(views: Iterable[View]) -> int:
    return len({view.user_id for view in views})


def _daily_columns(cell: list[tuple[View, int | None]], favorites: list[str], min_readers: int) -> dict[str, Value]:
    views = [view for view, _ in cell]
    measured = [(view, micros) for view, micros in cell if micros is not None]
    lengths = sorted(micros for _, micros in measured)
    columns: dict[str, Value] = {"is_suppressed": _readers(views) < min_readers} | dict.fromkeys(
        (
            "readers", "views", "measured_views", "total_view_secs", "avg_view_secs", "median_view_secs",
            "items_opened", "views_to_other_merchants", "share_to_other_merchants", "merchant_favorites",
        )
    )  # fmt: skip
    if not columns["is_suppressed"]:
        elsewhere = sum(view.went_to_other_merchant for view in views)
        columns |= {
            "readers": _readers(views),
            "views": len(views),
            "measured_views": len(measured),
            "items_opened": sum(view.items_opened for view in views),
            "views_to_other_merchants": elsewhere,
            "share_to_other_merchants": Decimal(
                math.floor(Fraction(elsewhere, len(views)) * 10000 + Fraction(1, 2))
            ).scaleb(-4),
            "merchant_favorites": None if 0 < len(set(favorites)) < min_readers else len(favorites),
        }
    if _readers(view for view, _ in measured) >= min_readers:
        columns |= {
            "total_view_secs": _total(sum(lengths), len(lengths)),
            "avg_view_secs": _average(sum(lengths), len(lengths)),
            "median_view_secs": _publish(Fraction(median(map(Fraction, lengths))) / MICROS),
        }
    return columns


def _hours(
    cells: Mapping[DailyKey, list[tuple[View, int | None]]], settings: Settings
) -> dict[HourlyKey, dict[str, Value]]:
    """Readers and views by local hour, over the cells that are shown; too small hours and one more have none."""
    zone = _zone(settings.reporting_timezone)
    days: dict[tuple[str | None, date], dict[int, list[View]]] = defaultdict(lambda: defaultdict(list))
    for (merchant_id, _, day), cell in cells.items():
        if _readers(view for view, _ in cell) >= settings.min_readers:
            for view, _ in cell:
                days[merchant_id, day][_local_hour(view.started_at_us, zone)].append(view)

    rows: dict[HourlyKey, dict[str, Value]] = {}
    for (merchant_id, day), hours in days.items():
        small = {hour for hour, views in hours.items() if _readers(views) < settings.min_readers}
        if small and len(small) < len(hours):
            small.add(min(hours.keys() - small, key=lambda hour: (_readers(hours[hour]), hour)))
        for hour in hours.keys() - small:
            rows[merchant_id, day, hour] = {"readers": _readers(hours[hour]), "views": len(hours[hour])}
        if small:
            rows[merchant_id, day, None] = {"readers": None, "views": sum(len(hours[hour]) for hour in small)}
    return rows


def _total(micros: int, measured: int) -> Decimal | None:
    return _publish(Fraction(micros, MICROS)) if measured else None


def _average(micros: int, measured: int) -> Decimal | None:
    return _publish(Fraction(micros, MICROS * measured)) if measured else None


def _publish(secs: Fraction) -> Decimal:
    """Two decimals, halves up; no measured time is negative."""
    return Decimal(math.floor(secs * 100 + Fraction(1, 2))).scaleb(-2)
