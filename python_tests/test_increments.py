"""Increments against full refreshes: after any sequence of loads, every table is what a full refresh makes of it.

A draw is a few hundred users, each with a timeline, loads and positions of its own; users do not meet, so each is a
case. ``--draws`` and ``--first-seed`` say how many draws and which. A failing draw is cut down to the fewest deliveries
of one user that still fail.
"""

import csv
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg

from flyer_analytics import generate
from flyer_analytics.publish import COPY, publish
from python_tests.conftest import Project

MARTS = (
    "marts.user_daily_avg_flyer_time",
    "marts.merchant_flyer_engagement",
    "marts.merchant_flyer_daily",
    "marts.merchant_hourly",
    "marts.time_spine_daily",
)
DATED_BY_USER = (
    "intermediate.int_flyer_events_sequenced",
    "intermediate.int_flyer_view_parts",
    "intermediate.int_flyer_session_parts",
    "intermediate.int_flyer_sessions",
    "intermediate.int_flyer_reader_days",
    "intermediate.int_flyer_favorites",
)
DATED = (
    *DATED_BY_USER,
    "intermediate.int_flyer_daily",
    *MARTS,
)
DAYS = ("intermediate.int_flyer_days_to_rebuild", "intermediate.int_flyer_days_to_aggregate")
KEYED_BY_USER = ("staging.stg_flyer_app__users", "staging.stg_flyer_app__events_keyed", *DAYS, *DATED_BY_USER)
TABLES = (
    "staging.stg_flyer_app__users",
    "staging.stg_flyer_app__actions",
    "staging.stg_flyer_app__events_keyed",
    "staging.stg_flyer_app__rejected",
    *DAYS,
    "intermediate.int_flyer_views_over_midnight",
    "intermediate.int_flyer_sessions_over_midnight",
    *DATED,
)
RELATIONS = (*TABLES, "staging.stg_flyer_app__events", "intermediate.int_flyer_views")
LOADS = 4
EVERYBODY = "everybody"
FIRST_LOAD = datetime(2021, 1, 1)
Tables = dict[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True)
class Delivery:
    """One row of one load; ``position`` is its line, or None where that is not known."""

    load: int
    position: int | None
    timestamp: str
    user_id: str
    event: str
    flyer_id: str
    merchant_id: str


@dataclass(frozen=True)
class Settings:
    """Vars of a draw, and cases that are part of it: users by name, their deliveries as ``timeline`` reads them."""

    timeout: int = 1800
    max_gap: int = 7600
    zone: str = "America/Toronto"
    cases: dict[str, list[str]] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, str]:
        given = (
            f"inactivity_timeout_secs: {self.timeout}, max_gap_secs: {self.max_gap}, reporting_timezone: {self.zone}"
        )
        return "--vars", f"{{{given}}}"


# Around local midnight, in UTC. Toronto: in summer, in winter and when clocks change. Apia skipped 30 December 2011. In
# St. John's the clocks were set back at one minute past midnight, so the local date ran backwards for an hour.
NIGHTS = {
    "America/Toronto": ["2018-07-01 03:40", "2018-12-01 04:30", "2018-11-04 04:30", "2018-03-11 06:30"],
    "Asia/Kolkata": ["2018-07-01 18:10"],
    "Pacific/Apia": ["2011-12-30 09:40", "2011-12-30 08:00", "2011-12-29 09:55"],
    "America/St_Johns": ["2010-11-07 02:20", "2010-11-07 01:00", "2010-11-07 03:10", "2010-11-06 02:25"],
}
CASES = {
    "the log goes on a year later": ["0 2018-10-01T14:00:00Z flyer_open 1", "1 2019-10-01T14:00:00Z flyer_open 1"],
    "an event arrives a year late": ["0 2019-10-01T14:00:00Z flyer_open 1", "1 2018-10-01T14:00:00Z flyer_open 1"],
    "two sessions and two views become one": [
        "0 2018-10-01T14:00:00Z flyer_open 1",
        "0 2018-10-01T14:50:00Z flyer_open 1",
        "1 2018-10-01T14:25:00Z flyer_open 1",
    ],
    "the only view of a day joins one of the day before": [
        "0 2018-10-02T03:30:00Z flyer_open 1",
        "0 2018-10-02T04:10:00Z flyer_open 1",
        "1 2018-10-02T03:50:00Z flyer_open 1",
    ],
    "a session of the day before becomes one with a flyer": [
        *(f"0 2018-10-02T{hour:02}:{minute}:00Z list_flyers" for hour in range(2, 9) for minute in (20, 40)),
        "1 2018-10-02T08:50:00Z flyer_open 1",
    ],
    "a view of three days begins earlier": [
        "1 2018-10-01T10:00:00Z flyer_open 1",
        *(
            f"0 {datetime(2018, 10, 1, 10, 20) + timedelta(minutes=20 * number):%Y-%m-%dT%H:%M:%SZ} flyer_open 1"
            for number in range(170)
        ),
    ],
    "a load of repeats": ["0 2018-10-01T14:00:00Z flyer_open 1", "1 2018-10-01T14:00:00Z flyer_open 1"],
    "a load of rejects": [
        "0 2018-10-01T14:00:00Z flyer_open 1",
        "1 yesterday flyer_open 1",
        "2 2018-10-01T14:00:09Z list_flyers",
    ],
}
SKIPPED_DATE = {
    "a view ends on the date after a skipped one": [
        "0 2011-12-30T09:55:00Z flyer_open 1",
        "1 2011-12-30T10:05:00Z flyer_open 2",
    ]
}
DATE_BACKWARDS = {
    "a gap begins on a later date than it ends": [
        "0 2010-11-07T02:30:30Z flyer_open 2",
        "1 2010-11-07T01:00:00Z flyer_open 1",
    ]
}
# A draw uses one after the other.
SETTINGS = [
    Settings(cases=CASES),
    Settings(zone="Pacific/Apia", cases=SKIPPED_DATE),
    Settings(zone="America/St_Johns", cases=DATE_BACKWARDS),
    Settings(timeout=86400, max_gap=60, zone="Asia/Kolkata"),
    Settings(timeout=90, max_gap=86400),
    Settings(timeout=7200, max_gap=86400, zone="America/St_Johns", cases=DATE_BACKWARDS),
    Settings(timeout=86400, max_gap=1800, zone="Pacific/Apia", cases=SKIPPED_DATE),
]


def draw_user(user: str, draw: random.Random, settings: Settings) -> list[Delivery]:
    """Draw up to 14 events, or 70, on and beside every limit, each in any load, some of them repeated in any load."""
    limits = [limit + step for limit in (settings.timeout, settings.max_gap) for step in (-1, -0.000001, 0, 1)]
    days = [86400, 86400 * 7, 86400 * 400]
    kinds_of_steps: list[list[float]] = [
        [0, 0, 1, 40, 600],
        [0, 1, 600, *limits],
        [0.5, 600, *limits, *days],
        [600, 1700],
    ]
    steps = draw.choice(kinds_of_steps)
    events = ["flyer_open"] * 4 + ["item_open", "list_flyers", "favorite", "flyer_close", "video"]
    at = datetime.fromisoformat(draw.choice(NIGHTS[settings.zone]))
    # one in a few is a user who never stops for more than a day
    count = draw.choice([*range(1, 15), 70])
    deliveries = []
    for _ in range(count):
        at += timedelta(seconds=draw.choice(steps) if count < 70 else draw.choice([0, 1000, 1700]))
        row = Delivery(
            load=draw.randrange(LOADS),
            position=draw.choice([None, draw.randrange(100), draw.randrange(100)]),
            timestamp=at.isoformat() + "Z",
            user_id=user,
            event=draw.choice(events),
            flyer_id=draw.choice(["1", "1.0", "2", "null"]),
            merchant_id=draw.choice(["A", "A", "B", ""]),
        )
        deliveries.append(row)
        while draw.random() < 0.15:
            deliveries.append(replace(row, load=draw.randrange(LOADS), position=draw.randrange(100)))
    return deliveries


class Loads:
    """Runs a project over loads, in a database of its own each time."""

    def __init__(self, project: Project, *options: str) -> None:
        self.project = project
        self.options = options
        self.left: list[Delivery] = []

    def run(self) -> None:
        # dbt's files about the run take a fifth of its time
        self.project.dbt("--no-write-json", "run", *self.options)

    def add(self, load: int, deliveries: Iterable[Delivery]) -> None:
        """Write ``deliveries`` to the raw table as load number ``load``."""
        file = self.project.folder / "load.csv"
        with file.open("w", newline="", encoding="utf-8") as out:
            for row in deliveries:
                ids = (row.timestamp, row.user_id, row.event, row.flyer_id, row.merchant_id)
                csv.writer(out).writerow((*ids, f"load {load}", row.position, FIRST_LOAD + timedelta(hours=load)))
        if file.stat().st_size:
            self.project.insert_raw(file)

    def tables(self) -> Tables:
        return self.project.tables(*RELATIONS)

    def publish(self, parquet_every: timedelta) -> None:
        """Publish what has changed, and expect the rows of the marts."""
        self.project.disconnect()
        folder = self.project.folder / "published"
        manifest = Path(os.environ["DBT_TARGET_PATH"], "manifest.json")
        published = publish(self.project.database, manifest, folder, parquet_every=parquet_every)
        assert_published(self.project, folder, with_parquet=published.whole or not parquet_every)

    def differences(self, deliveries: list[Delivery]) -> dict[str, list[str]]:
        """Load and run one after the other, then refresh in full; per user what differs, in words."""
        self.project.start_over()
        for load in range(LOADS):
            self.add(load, (row for row in deliveries if row.load == load))
            self.run()
            self.publish(parquet_every=timedelta(days=load % 2))
        increments = self.tables()
        self.project.dbt("--no-write-json", "run", "--full-refresh", *self.options)
        return differences(increments, self.tables(), {row.user_id for row in deliveries})

    def smallest(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Leave out one delivery after the other as long as it fails; all that may be left out are tried in one go."""
        while len(deliveries) > 1:
            tried = [[*deliveries[:number], *deliveries[number + 1 :]] for number in range(len(deliveries))]
            renamed = [replace(row, user_id=f"without {number}") for number, rows in enumerate(tried) for row in rows]
            failing = [int(user.split()[1]) for user in self.differences(renamed) if user != EVERYBODY]
            if not failing:
                break
            deliveries = tried[min(failing)]
        return sorted(deliveries, key=lambda row: (row.load, row.timestamp))


def assert_published(project: Project, folder: Path, with_parquet: bool) -> None:
    with project.connect() as connection:
        connection.execute(f"attach '{folder / COPY}' as copy (read_only)")
        for mart in MARTS:
            copies = [f"copy.{mart}", *([f"'{folder / mart.split('.')[1]}.parquet'"] if with_parquet else [])]
            for copy in copies:
                for one, other in ((mart, copy), (copy, mart)):
                    differing = connection.execute(f"from {one} except all from {other}").fetchall()
                    assert not differing, f"{one} has rows that {other} has not, such as {differing[:3]}"


def differences(found: Tables, expected: Tables, users: set[str]) -> dict[str, list[str]]:
    """Per user, each row that is in one of two states of the tables alone; rows of several users are everybody's."""
    said: dict[str, list[str]] = {}
    known = {key: user for key, user, _ in expected["staging.stg_flyer_app__users"]}
    for name in RELATIONS:
        for word, rows in (("has", found[name] - expected[name]), ("lacks", expected[name] - found[name])):
            for row in rows:
                named = known.get(row[0]) if name in KEYED_BY_USER else None
                user = named or next((value for value in row if value in users), EVERYBODY)
                said.setdefault(user, []).append(f"{name} {word} {', '.join(map(str, row))}")
    return said


def assert_same(found: Tables, expected: Tables) -> None:
    """Shows the first few rows that differ."""
    for name in expected:
        has, lacks = found[name] - expected[name], expected[name] - found[name]
        assert not has and not lacks, f"{name}\n  has   {[*has][:3]}\n  lacks {[*lacks][:3]}"


def test_any_loads_equal_a_full_refresh(project: Project, drawn_seed: int) -> None:
    settings = SETTINGS[(drawn_seed - 1) % len(SETTINGS)]
    draw = random.Random(drawn_seed)
    timelines = {user: draw_user(user, draw, settings) for user in (f"user {number}" for number in range(400))}
    timelines |= {user: timeline(user, *rows) for user, rows in settings.cases.items()}
    deliveries = [row for rows in timelines.values() for row in rows]
    loads = Loads(project, *settings.options)
    failing = loads.differences(deliveries)
    if failing:
        user = min(failing, key=lambda name: len(timelines.get(name, deliveries)))
        smallest = loads.smallest(timelines[user]) if user != EVERYBODY else []
        said = [*map(str, smallest), *failing[user]]
        pytest.fail(
            f"seed {drawn_seed}, {settings.options[1]}: increments differ from a full refresh for {len(failing)} users;"
            " the smallest case of one:\n" + "\n".join(said)
        )


def test_files_of_generated_days(project: Project) -> None:
    """Real loads: a month of small files, each of which brings the late events of those before."""
    generate.main([str(project.folder / "all.csv"), "--events", "4000", "--days", "8", "--users", "50", "--seed", "4"])
    header, *lines = (project.folder / "all.csv").read_text().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    loads = Loads(project)
    for number in range(4):
        file = project.folder / f"{number}.csv"
        # each repeats a few lines of the one before
        file.write_text("".join([header, *lines[max(0, number * 1000 - 20) : (number + 1) * 1000]]))
        project.load(file)
        loads.run()
    increments = loads.tables()
    project.dbt("run", "--full-refresh")
    assert_same(increments, loads.tables())


def timeline(user: str, *events: str) -> list[Delivery]:
    """Deliveries of one user, each from ``load instant event flyer``."""
    deliveries = []
    for position, text in enumerate(events):
        load, timestamp, event, *flyer = text.split()
        deliveries.append(Delivery(int(load), position, timestamp, user, event, flyer[0] if flyer else "", "A"))
    return deliveries


def test_the_example_of_the_docs(project: Project) -> None:
    """The figures of docs/increments.md, before and after its late event."""
    loads = Loads(project)
    loads.project.start_over()
    days = "select total_time_spent_in_secs, views, total_view_secs from marts.user_daily_avg_flyer_time order by date"
    carried = "select part_started_at, view_started_at from intermediate.int_flyer_views_over_midnight"
    first = ["0 2018-10-02T03:40:00Z flyer_open 1", "0 2018-10-02T03:55:00Z item_open 1"]
    first += ["0 2018-10-02T04:10:00Z flyer_open 1", "0 2018-10-02T04:20:00Z list_flyers"]
    loads.add(0, timeline("u", *first))
    loads.run()
    assert project.query(days) == [(900, 1, 2400), (900, 0, None)]
    assert project.query(carried) == [(datetime(2018, 10, 2, 4, 10), datetime(2018, 10, 2, 3, 40))]
    loads.add(1, timeline("u", "1 2018-10-02T04:01:00Z flyer_open 2"))
    loads.run()
    assert project.query(days) == [(900, 1, 1260), (900, 2, 1140)]
    assert project.query(carried) == []


@pytest.fixture(scope="module")
def first_loads(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Delivery]]:
    """A database of all loads but the last, built, and the deliveries of the last."""
    draw = random.Random(1)
    deliveries = [row for number in range(60) for row in draw_user(f"user {number}", draw, SETTINGS[0])]
    loads = Loads(Project(manifest, tmp_path_factory.mktemp("first_loads")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(loads.project.database))
        loads.project.start_over()
        loads.add(0, (row for row in deliveries if row.load < LOADS - 1))
        loads.run()
        loads.project.disconnect()
    return loads.project.database, [row for row in deliveries if row.load == LOADS - 1]


@pytest.fixture
def loads(project: Project, first_loads: tuple[Path, list[Delivery]]) -> Loads:
    """All loads but the last are built; the deliveries of that one are ``left``."""
    database, left = first_loads
    shutil.copy(database, project.database)
    loads = Loads(project)
    loads.left = left
    return loads


def test_a_run_with_nothing_new_changes_nothing(project: Project, loads: Loads) -> None:
    rows = "select sum(rowid), count(*) from "
    before = [project.query(rows + name) for name in TABLES]
    loads.run()
    # no row was written again
    assert [project.query(rows + name) for name in TABLES] == before


# ---------- recomputing on purpose


def test_dates_are_recomputed(project: Project, loads: Loads) -> None:
    intact = loads.tables()
    for dates in ("2018-11-03/2018-11-05", "2018-12-01"):
        first, last = dates.split("/")[0], dates.split("/")[-1]
        in_range = f"date between '{first}' and '{last}'"
        for name in DATED:
            project.query(f"delete from {name} where {in_range} and rowid % 2 = 0")
        project.query(f"update marts.user_daily_avg_flyer_time set views = 99 where {in_range}")
        project.query(f"update staging.stg_flyer_app__events_keyed set deliveries = 9 where date = '{first}'")
        assert loads.tables() != intact
        project.dbt("run", "--vars", f"{{recompute_dates: {dates}}}")
        assert_same(loads.tables(), intact)


def test_recomputed_dates_and_new_loads_together(project: Project, loads: Loads) -> None:
    loads.add(1, loads.left)
    project.dbt("run", "--vars", "{recompute_dates: 2018-11-01/2018-12-31}")
    increments = loads.tables()
    project.dbt("run", "--full-refresh")
    assert_same(increments, loads.tables())


def test_changed_settings_stop_the_run(project: Project, loads: Loads) -> None:
    before = loads.tables()
    changed = ("--vars", "{inactivity_timeout_secs: 600, reporting_timezone: UTC}")
    for command in (["run"], ["build", "--select", "marts"], ["run", "--full-refresh", "--select", "int_flyer_views"]):
        assert not project.try_dbt(*command, *changed).success
        said = "\n".join(project.messages)
        assert "var inactivity_timeout_secs was 1800 and is now 600" in said
        assert "var reporting_timezone was America/Toronto and is now UTC" in said
        assert "dbt build --full-refresh" in said
        assert loads.tables() == before
    project.dbt("run", "--full-refresh", *changed)
    rebuilt = loads.tables()
    assert rebuilt != before
    project.dbt("run", *changed)
    assert_same(loads.tables(), rebuilt)
    assert not project.try_dbt("run").success


@pytest.mark.usefixtures("loads")
def test_tables_of_another_version_stop_the_run(project: Project) -> None:
    project.query("update staging.build_state set settings = replace(settings, '\"layout\": ', '\"layout\": 9')")
    assert not project.try_dbt("run").success
    said = "\n".join(project.messages)
    assert "another version of this project built them" in said
    assert "dbt build --full-refresh" in said
    project.dbt("run", "--full-refresh")


def test_another_min_readers_rebuilds_the_two_marts_that_depend_on_it(project: Project, loads: Loads) -> None:
    before = loads.tables()
    rowids = "select sum(rowid), count(*) from intermediate.int_flyer_daily"
    untouched = project.query(rowids)
    changed = ("--vars", "{min_readers: 2}")
    assert not project.try_dbt("run", *changed, "--select", "merchant_hourly").success
    assert "var min_readers was 5 and is now 2" in "\n".join(project.messages)
    assert_same(loads.tables(), before)
    project.dbt("run", *changed)
    increments = loads.tables()
    differing = {name for name in RELATIONS if increments[name] != before[name]}
    assert differing == {"marts.merchant_flyer_daily", "marts.merchant_hourly"}
    assert project.query(rowids) == untouched
    project.dbt("run", "--full-refresh", *changed)
    assert_same(increments, loads.tables())


def test_an_empty_run_on_a_complete_build_is_refused(project: Project, loads: Loads) -> None:
    left = loads.left
    before = loads.tables()
    loads.add(1, left)
    for arguments in ([], ["--vars", "{recompute_dates: 2018-11-01/2018-12-31}"], ["--full-refresh"]):
        assert not project.try_dbt("run", "--empty", *arguments).success
        assert "--empty would replace the tables of a complete build" in "\n".join(project.messages)
        assert_same(loads.tables(), before)


def test_an_event_whose_user_was_not_numbered_stops_the_run(project: Project, loads: Loads) -> None:
    """Left out by a join, it would be missing for good, as its load would count as done."""
    loads.add(1, timeline("newcomer", "1 2018-10-01T14:00:00Z flyer_open new"))
    events = project.query("from staging.stg_flyer_app__events_keyed")
    for numbered, unknown in ((), "newcomer"), (("stg_flyer_app__users",), "flyer_open"):
        models = ("stg_flyer_app__new_dates", "stg_flyer_app__events_keyed", *numbered)
        assert not project.try_dbt("run", "--select", *models).success
        assert f"'{unknown} has no key yet: run all models, as dbt build does'" in "\n".join(project.messages)
    assert project.query("from staging.stg_flyer_app__events_keyed") == events
    loads.run()
    assert project.query("select count(*) from staging.stg_flyer_app__events where user_id = 'newcomer'") == [(1,)]


def test_a_load_during_a_run_waits_for_the_next_run(loads: Loads) -> None:
    """The run reads the dates of the loads that were there when it began, so it would miss repeats on other dates."""
    before = loads.left
    loads.add(1, timeline("other", "1 2018-10-01T14:00:00Z flyer_open 1"))
    loads.project.dbt("run", "--select", "stg_flyer_app__new_dates")
    loads.add(2, [*before, *timeline("newcomer", "2 2018-11-20T14:00:00Z flyer_open new")])
    loads.project.dbt("run", "--exclude", "stg_flyer_app__new_dates")
    loads.run()
    increments = loads.tables()
    loads.project.dbt("run", "--full-refresh")
    assert_same(increments, loads.tables())


@pytest.mark.usefixtures("built_sample")
def test_own_events_replace_the_sample(project: Project) -> None:
    assert project.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100
    loads = Loads(project)
    loads.add(0, timeline("u", "0 2018-10-01T14:00:00Z flyer_open 1"))
    loads.run()
    assert project.query("select user_id from marts.user_daily_avg_flyer_time") == [("u",)]


# ---------- interrupted runs


def run_and_die(project: Project, is_time_to_die: Callable[[EventMsg], bool], *arguments: str) -> None:
    """Run dbt in a process of its own that is killed, as by kill -9, when an event of dbt's says that it is time."""
    project.disconnect()
    if (child := os.fork()) == 0:

        def die(event: EventMsg) -> None:
            if is_time_to_die(event):
                os.kill(os.getpid(), signal.SIGKILL)

        project.threads = 2  # so that another model is under way
        project.try_dbt("run", *arguments, callbacks=[die])
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def at(event_name: str, model: str) -> Callable[[EventMsg], bool]:
    def is_time(event: EventMsg) -> bool:
        return event.info.name == event_name and event.data.node_info.node_name == model

    return is_time


def after(seconds: float) -> Callable[[EventMsg], bool]:
    def is_time(event: EventMsg) -> bool:
        if event.info.name == "ConcurrencyLine":
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, seconds)
        return False

    return is_time


def test_runs_killed_beside_any_model_are_repaired(project: Project, loads: Loads) -> None:
    """Each run has new events and is killed, every third is repaired; what a run leaves wrong would stay to the end."""
    left = loads.left
    models = [name.split(".")[1] for name in TABLES]
    for number, model in enumerate(models):
        loads.add(number + 1, left[number :: len(models)])
        run_and_die(project, at("NodeFinished" if number % 2 else "NodeStart", model))
        if number % 3 == 2:
            loads.run()
    loads.run()
    repaired = loads.tables()
    project.dbt("run", "--full-refresh")
    assert_same(repaired, loads.tables())


@pytest.mark.parametrize("arguments", [(), ("--full-refresh",)])
def test_runs_killed_again_and_again_are_repaired(project: Project, loads: Loads, arguments: tuple[str, ...]) -> None:
    """At any moment, inside a model or between two; what is new when the run is repeated comes on top."""
    left = loads.left
    draw = random.Random(1)
    for number in range(6):
        loads.add(number + 1, left[number::6])
        run_and_die(project, after(draw.uniform(0.1, 1.2)), *arguments)
    loads.run()
    repaired = loads.tables()
    project.dbt("run", "--full-refresh")
    assert_same(repaired, loads.tables())
