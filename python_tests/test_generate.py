"""The event generator: reproducible, of the requested size, and with all the oddities of real events."""

import csv
import gzip
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pytest

from flyer_analytics import generate

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "seeds" / "sample_flyer_events.csv"
SAMPLE_ARGUMENTS = "--as-loaded --events 16000 --users 300 --merchants 24 --days 14 --start 2018-10-29 --seed 20"
EVENTS = 20_000
TORONTO = ZoneInfo("America/Toronto")
VISIT_GAP = timedelta(minutes=30)


class Event(NamedTuple):
    """A line of a file: its columns as text, '' if missing."""

    timestamp: str
    user_id: str
    event: str
    flyer_id: str
    merchant_id: str

    @property
    def at(self) -> datetime:
        """The instant, in UTC. Raises ValueError for an invalid timestamp."""
        return datetime.fromisoformat(self.timestamp).astimezone(UTC)


def write(out: Path, arguments: str) -> Path:
    """Generate `out` with these arguments and return it."""
    assert generate.main([str(out), *arguments.split()]) == 0
    return out


def read(path: Path) -> list[Event]:
    """Return the events of a CSV file with exactly the five columns."""
    with path.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert tuple(header) == Event._fields
    return [Event(*row) for row in rows]


def names_in(folder: Path) -> list[str]:
    """Return the names of all files in the folder."""
    return [path.name for path in folder.iterdir()]


def is_usable(event: Event) -> bool:
    """Return whether the event is of none of the unusable kinds."""
    try:
        in_range = 2000 < event.at.year < 2090
    except ValueError:
        return False
    return in_range and event.user_id != "" and event.event != "video_play"


def by_user(events: list[Event]) -> Iterator[list[Event]]:
    """Yield each user's events in time order."""
    users = defaultdict(list)
    for event in events:
        users[event.user_id].append(event)
    for user in users.values():
        yield sorted(user, key=lambda event: event.at)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Five days of 20,000 events around the end of daylight-saving time."""
    out = tmp_path_factory.mktemp("events") / "events.csv"
    return read(write(out, f"--events {EVENTS} --days 5 --start 2018-11-02 --seed 3"))


@pytest.fixture(scope="module")
def events(lines: list[Event]) -> list[Event]:
    """The usable ones of them, in the order of the file."""
    return [line for line in lines if is_usable(line)]


# ---------- reproducible


def test_sample_seed_is_what_the_generator_writes(tmp_path: Path) -> None:
    out = write(tmp_path / SAMPLE.name, SAMPLE_ARGUMENTS)
    assert out.read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize("extension", generate.FORMATS)
def test_same_arguments_same_bytes(tmp_path: Path, extension: str) -> None:
    one, two = (write(tmp_path / f"{name}{extension}", "--events 2000").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("arguments", ["--seed 8", "--users 9", "--start 2018-11-02", "--days 6"])
def test_different_arguments_different_events(tmp_path: Path, arguments: str) -> None:
    one = write(tmp_path / "one.csv", "--events 500 --seed 7")
    other = write(tmp_path / "other.csv", f"--events 500 --seed 7 {arguments}")
    assert one.read_bytes() != other.read_bytes()


def test_seeds_have_no_users_in_common(tmp_path: Path) -> None:
    one, two = (
        {row.user_id for row in read(write(tmp_path / "events.csv", f"--events 999 --seed {seed}"))} - {""}
        for seed in (1, 2)
    )
    assert one.isdisjoint(two)


# ---------- of the requested size


@pytest.mark.parametrize("count", [1, 2, 126, 999, 1000, 1001, 7777])
@pytest.mark.parametrize("days", [1, 40])
def test_number_of_rows(tmp_path: Path, count: int, days: int) -> None:
    out = write(tmp_path / "events.csv", f"--events {count} --days {days}")
    assert len(read(out)) == count


def test_a_day_in_slices_has_all_its_rows_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "SLICE_ROWS", 700)
    out = write(tmp_path / "events.csv", "--events 10000 --days 2")
    rows = read(out)
    assert len(rows) == 10_000
    times = [row.at for row in rows if is_usable(row)]
    late = sum(later < earlier - VISIT_GAP for earlier, later in pairwise(times))
    assert late < 0.012 * len(times)
    assert len({at.astimezone(TORONTO).hour for at in times}) == 24


def test_days_are_as_busy_as_their_weekday_and_no_visit_leaves_them(tmp_path: Path) -> None:
    days = Counter(
        row.at.astimezone(TORONTO).date()
        for row in read(write(tmp_path / "events.csv", "--events 8200 --days 7 --start 2018-10-29"))
        if is_usable(row)
    )
    assert min(days) == date(2018, 10, 29) and max(days) == date(2018, 11, 4)
    assert days[date(2018, 11, 3)] > 1.5 * days[date(2018, 10, 31)]


def test_named_merchants_all_have_readers(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "events.csv", "--events 3000 --merchants 24"))
    opened = {(row.merchant_id, row.flyer_id) for row in rows if row.event == "flyer_open"}
    assert len({merchant for merchant, _ in opened}) == 24
    assert len({flyer for _, flyer in opened}) == 30


def test_users_come_from_the_pool_and_scale_by_default(tmp_path: Path) -> None:
    few = read(write(tmp_path / "few.csv", "--events 500 --users 3"))
    assert len({row.user_id for row in few if row.user_id}) == 3
    one = read(write(tmp_path / "one.csv", "--events 500 --users 1"))
    assert len({row.user_id for row in one if row.user_id}) == 1
    day = read(write(tmp_path / "day.csv", "--events 20000 --days 1"))
    per_user = len(day) / len({row.user_id for row in day})
    assert 15 < per_user < 19


# ---------- like the app's events


def test_ids(events: list[Event]) -> None:
    flyers = {event.flyer_id for event in events if event.flyer_id[-1:].isdigit()}
    merchants = {event.merchant_id for event in events} - {"", "NULL", "<null>"}
    assert all(re.fullmatch("[0-9a-f]{64}", event.user_id) for event in events)
    assert all(re.fullmatch("[0-9]{7}", flyer) for flyer in flyers)
    assert all(re.fullmatch("[0-9]{4}", merchant) for merchant in merchants)
    assert 3 <= sum(flyer.startswith("0") for flyer in flyers) < 0.05 * len(flyers)
    assert any(merchant.startswith("0") for merchant in merchants)


def test_each_event_carries_its_ids(events: list[Event]) -> None:
    carries = {(event.event, bool(event.flyer_id), bool(event.merchant_id)) for event in events}
    assert carries == {
        ("flyer_open", True, True),
        ("item_open", True, True),
        ("list_flyers", False, False),
        ("shopping_list_open", False, False),
        ("favorite", False, True),
    }


def test_mix_of_events(events: list[Event]) -> None:
    counts = Counter(event.event for event in events)
    shares = zip(generate.EVENTS, generate.EVENT_SHARES, strict=True)
    assert {event: counts[event] / len(events) for event in counts} == pytest.approx(dict(shares), abs=0.01)


def test_one_heavy_user_and_a_skewed_rest(events: list[Event]) -> None:
    heavy, *rest = sorted((len(user) for user in by_user(events)), reverse=True)
    assert 0.08 < heavy / len(events) < 0.12
    assert heavy > 5 * rest[0]
    assert sum(rest[: len(rest) // 10]) > 0.2 * sum(rest)


def test_flyers_are_popular_by_rank_and_some_have_two_merchants(events: list[Event]) -> None:
    opened = [event for event in events if event.event == "flyer_open"]
    counts = Counter(event.flyer_id for event in opened).most_common()
    assert 0.01 < counts[0][1] / len(opened) < 0.04
    assert counts[len(counts) // 2][1] < counts[0][1] / 20

    merchants = defaultdict(set)
    for event in opened:
        merchants[event.flyer_id].add(event.merchant_id)
    shared = sum(len(names) == 2 for names in merchants.values())
    assert 0.01 < shared / len(merchants) < 0.05


def test_visits_are_bursts_at_waking_hours_with_long_breaks(events: list[Event]) -> None:
    hours = Counter(event.at.astimezone(TORONTO).hour for event in events)
    assert hours.most_common(1)[0][0] in range(17, 22)
    assert sum(hours[hour] for hour in range(2, 6)) < 0.06 * len(events)

    gaps = [later.at - earlier.at for user in by_user(events) for earlier, later in pairwise(user)]
    breaks = sum(VISIT_GAP <= gap < timedelta(hours=2.5) for gap in gaps)
    assert sum(gap < VISIT_GAP for gap in gaps) > 0.75 * len(gaps)
    assert 0.04 < breaks / len(gaps) < 0.12


def test_most_items_are_of_the_flyer_opened_before(events: list[Event]) -> None:
    follows = [
        earlier.flyer_id == later.flyer_id
        for user in by_user(events)
        for earlier, later in pairwise(user)
        if (earlier.event, later.event) == ("flyer_open", "item_open")
    ]
    assert 0.3 < sum(follows) / len(follows) < 0.7


# ---------- oddities


def test_exact_repeats_come_a_little_later(lines: list[Event]) -> None:
    places = defaultdict(list)
    for number, line in enumerate(lines):
        places[line].append(number)
    repeats = [numbers for numbers in places.values() if len(numbers) > 1]
    assert 0.003 < sum(len(numbers) - 1 for numbers in repeats) / EVENTS < 0.005
    assert all(numbers[-1] - numbers[0] < 50 for numbers in repeats)


def test_ties(events: list[Event]) -> None:
    instants = Counter((event.user_id, event.at) for event in set(events))
    ties = sum(count > 1 for count in instants.values())
    assert 0.015 < ties / len(events) < 0.035


def test_late_events(events: list[Event]) -> None:
    delays, newest = [], events[0].at
    for event in events:
        newest = max(newest, event.at)
        delays.append(newest - event.at)
    late = [delay for delay in delays if delay > timedelta(minutes=2)]
    assert 0.007 < len(late) / len(events) < 0.013
    assert max(late) > timedelta(days=1)
    assert min(late) < timedelta(minutes=15)


def test_null_tokens_occur_on_item_open_only(events: list[Event]) -> None:
    tokens = Counter(
        (event.event, value)
        for event in events
        for value in (event.flyer_id, event.merchant_id)
        if "null" in value.lower()
    )
    assert set(tokens) == {("item_open", token) for token in ("null", "%3Cnull%3G", "NULL", "<null>")}


def test_timestamps_have_three_notations(events: list[Event]) -> None:
    second = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    fraction, utc, local = r"\.\d{3}", "Z", r"-0[45]:00"
    form = re.compile(f"{second}(?P<fraction>{fraction})?(?P<zone>{utc}|{local})")
    matches = [form.fullmatch(event.timestamp) for event in events]
    assert all(matches)
    zones = Counter(match["zone"] for match in matches if match)
    fractions = sum(match["fraction"] is not None for match in matches if match)
    assert 0.015 < zones["Z"] / len(events) < 0.025
    assert 0.015 < fractions / len(events) < 0.025


@pytest.mark.parametrize(
    ("zone", "day", "offsets"),
    [
        ("America/Toronto", date(2018, 11, 4), {"-04:00", "-05:00"}),
        ("America/Toronto", date(2018, 3, 11), {"-05:00", "-04:00"}),
        ("Australia/Lord_Howe", date(2018, 10, 7), {"+10:30", "+11:00"}),
        ("Asia/Kathmandu", date(2018, 10, 7), {"+05:45"}),
    ],
)
def test_offsets_are_right_on_days_that_change_them(tmp_path: Path, zone: str, day: date, offsets: set[str]) -> None:
    arguments = f"--events 5000 --days 1 --start {day} --timezone {zone}"
    rows = read(write(tmp_path / "events.csv", arguments))
    local = [row for row in rows if is_usable(row) and not row.timestamp.endswith("Z")]
    assert {row.timestamp[-6:] for row in local} == offsets
    for row in local:
        shown = row.at.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds")
        assert shown.replace(".000", "") == row.timestamp


def test_the_repeated_hour_occurs_twice(events: list[Event]) -> None:
    hour = {
        event.timestamp[-6:]
        for event in events
        if event.timestamp.startswith("2018-11-04T01:") and event.timestamp[-1] != "Z"
    }
    assert hour == {"-04:00", "-05:00"}


def test_some_visits_cross_midnight(events: list[Event]) -> None:
    crossings = sum(
        earlier.at.astimezone(TORONTO).date() < later.at.astimezone(TORONTO).date()
        and later.at - earlier.at < VISIT_GAP
        for user in by_user(events)
        for earlier, later in pairwise(user)
    )
    assert crossings > 20


@pytest.mark.parametrize("count", [1000, 1499, EVENTS])
def test_unusable_rows_of_each_kind(tmp_path: Path, count: int) -> None:
    rows = read(write(tmp_path / "events.csv", f"--events {count}"))
    kinds = {
        "unknown event": sum(row.event == "video_play" for row in rows),
        "no user": sum(row.user_id == "" for row in rows),
        "no such date": sum("-02-30T" in row.timestamp for row in rows),
        "in 1970": sum(row.timestamp.startswith("1970-") for row in rows),
        "in 2099": sum(row.timestamp.startswith("2099-") for row in rows),
    }
    assert min(kinds.values()) >= 1
    assert sum(kinds.values()) == sum(not is_usable(row) for row in rows)
    assert sum(kinds.values()) <= max(6, 0.002 * count)


# ---------- formats

READ_CSV = "read_csv({}, all_varchar = true)"
READ_PARQUET = "read_parquet({})"


def table(path: Path, reader: str) -> list[tuple[str | None, ...]]:
    """Return the rows of a file as text, read by DuckDB."""
    with duckdb.connect() as con:
        source = reader.format(generate.quote(str(path)))
        return con.sql(f"select columns(*)::varchar from {source}").fetchall()


def test_formats_agree_row_for_row(tmp_path: Path) -> None:
    names = [f"events{extension}" for extension in generate.FORMATS]
    plain, zipped, json_lines, parquet = (write(tmp_path / name, "--events 3000") for name in names)
    rows = table(plain, READ_CSV)
    assert [Event(*(value or "" for value in row)) for row in rows] == read(plain)
    assert gzip.decompress(zipped.read_bytes()) == plain.read_bytes()
    assert table(parquet, READ_PARQUET) == rows
    lines = [json.loads(line) for line in json_lines.read_text().splitlines()]
    assert all(tuple(line) == Event._fields for line in lines)
    assert [tuple(line.values()) for line in lines] == rows


def test_parquet_types(tmp_path: Path) -> None:
    out = write(tmp_path / "events.parquet", "--events 10 --as-loaded")
    with duckdb.connect() as con:
        types = con.sql(f"from '{out}'").types
    assert [str(name) for name in types] == ["VARCHAR"] * 6 + ["BIGINT", "TIMESTAMP"]


@pytest.mark.parametrize(("extension", "reader"), [(".csv", READ_CSV), (".parquet", READ_PARQUET)])
def test_as_loaded(tmp_path: Path, extension: str, reader: str) -> None:
    arguments = "--events 300 --days 3 --start 2018-12-29"
    plain = write(tmp_path / f"plain{extension}", arguments)
    loaded = write(tmp_path / f"it's loaded{extension}", f"{arguments} --as-loaded")
    added = [(loaded.name, str(line), "2019-01-02 06:00:00") for line in range(2, 302)]
    assert table(loaded, reader) == [
        (at, user and user[:12], *row, *columns)
        for (at, user, *row), columns in zip(table(plain, reader), added, strict=True)
    ]


# ---------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("events.csv", "the following arguments are required: --events"),
        ("events.csv --events 0", "argument --events: '0' is not a whole number from 1"),
        ("events.csv --events 1e6", "argument --events: '1e6' is not a whole number"),
        ("events.csv --events 9 --users -1", "argument --users: '-1' is not"),
        ("events.csv --events 9 --days 5000", "whole number from 1 to 3660"),
        ("events.csv --events 9 --seed -1", "argument --seed: '-1' is not"),
        ("events.csv --events 9 --start 2018-02-30", "argument --start: '2018-02-30'"),
        ("events.csv --events 9 --start 1999-12-31", "from 2000-01-01 to 2080-12-31"),
        ("events.csv --events 9 --timezone EST5", "argument --timezone: 'EST5'"),
        ("events.csv --events 9 --timezone ../x", "argument --timezone: '../x'"),
        ("events.xlsx --events 9", "must end in one of .csv, .csv.gz, .jsonl, .parquet"),
        ("none/events.csv --events 9", "folder 'none' does not exist"),
        ("folder.csv --events 9", "argument OUT: 'folder.csv' is a folder"),
    ],
)
def test_invalid_arguments_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        generate.main(arguments.split())
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert names_in(tmp_path) == ["folder.csv"]


def test_unknown_format_from_python(tmp_path: Path) -> None:
    plan = generate.Plan(1, 1, 1, date(2018, 11, 1), 1, TORONTO)
    with pytest.raises(ValueError, match=r"events\.txt must end in one of \.csv"):
        generate.generate(plan, tmp_path / "events.txt")


@pytest.mark.parametrize("error", [OSError("disk full"), duckdb.IOException("disk full")])
def test_nothing_is_left_behind_on_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    out = tmp_path / "events.csv"
    out.write_text("older\n")
    monkeypatch.setattr(generate, "append", fail)
    assert generate.main([str(out), "--events", "1000"]) == 1
    assert f"{out} could not be written: disk full" in capsys.readouterr().err
    assert names_in(tmp_path) == ["events.csv"]
    assert out.read_text() == "older\n"


def test_nothing_is_left_behind_when_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "append", stop)
    with pytest.raises(KeyboardInterrupt):
        generate.main([str(tmp_path / "events.csv"), "--events", "1000"])
    assert names_in(tmp_path) == []


def test_older_file_is_replaced_by_the_command(tmp_path: Path) -> None:
    out = tmp_path / "events.csv"
    out.write_text("older\n")
    command = [sys.executable, "-m", "flyer_analytics.generate", str(out), "--events", "10"]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("", "")
    assert len(read(out)) == 10
    assert names_in(tmp_path) == ["events.csv"]
