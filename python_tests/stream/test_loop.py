"""The loop: a turn at a time in this process, and as a process that is stopped and killed."""

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest

from flyer_analytics.dbt_process import Dbt
from flyer_analytics.lock import acquire, lock_path
from flyer_analytics.publish import COPY, publish
from flyer_analytics.stream import loop as loops
from flyer_analytics.stream.lake import Content, Lake, open_lake
from flyer_analytics.stream.loop import Loop
from flyer_analytics.stream.memory import Memory, Run
from flyer_analytics.stream.status import ages
from flyer_analytics.stream.warehouse import DuckDb
from python_tests.conftest import Project

TOPIC = "flyer-events"
MINUTE_AGO = 60_000


def put(lake: Lake, first: int, *messages: str, partition: int = 0) -> Path:
    """Write an object that begins at offset ``first``. Its messages are a minute old."""
    now = int(time.time() * 1000)
    content = Content(first + len(messages) - 1, now - MINUTE_AGO, now - MINUTE_AGO // 2, len(messages), None)
    lake.create(TOPIC, partition, first, content.packed(("\n".join(messages) + "\n").encode()))
    return Path(lake.store.url(f"{TOPIC}/partition={partition:05}", f"{first:020}.jsonl.gz"))


def message(number: int, day: int = 1) -> str:
    at = f"2018-10-0{day}T14:{number % 60:02}:00Z"
    event = {"timestamp": at, "user_id": f"u{number // 60}", "event": "flyer_open", "flyer_id": f"F{number % 7}"}
    return json.dumps(event)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def start(project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Loop]]:
    """Start the loop, as often as wanted: each time it knows no more than a new process does."""
    monkeypatch.setenv("FLYER_PUBLISHED_PATH", str(project.folder / "published"))
    monkeypatch.setenv("FLYER_TEST_SCOPE", "all")  # the loop sets it

    def start() -> Loop:
        dbt = Dbt("duckdb", project.manifest)
        warehouse = DuckDb(dbt)
        memory = Memory.of(dbt.manifest, lock_path().with_suffix(".loop.json"), is_new=warehouse.is_new)
        return Loop(dbt, warehouse, lake, memory, project.folder / "status.jsonl")

    yield start
    project.disconnect()


@pytest.fixture(scope="module")
def built(manifest: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database, built and published, that holds one event of another day and user than the tests'."""
    project = Project(manifest, tmp_path_factory.mktemp("built"))
    file = project.folder / "events.jsonl"
    file.write_text(message(600, day=5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        project.load(file)
        project.dbt("run")
        project.disconnect()
        publish(project.database, Path(os.environ["DBT_TARGET_PATH"], "manifest.json"), project.folder / "published")
    file.unlink()
    return project.folder


@pytest.fixture
def tested(start: Callable[[], Loop], project: Project, built: Path) -> Loop:
    """Return a loop that has nothing to do: all is built, tested and published."""
    shutil.copytree(built, project.folder, dirs_exist_ok=True)
    loop = start()
    loop.memory.record((name, 0.1, True) for name in loop.memory.tests)
    loop.begin()
    loop.must_build = False
    return loop


@pytest.fixture
def started(tested: Loop, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Return the same, without the data tests of a cycle."""
    monkeypatch.setattr(loops, "TOUCHED", ("run",))
    return tested


def statuses(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.folder / "status.jsonl").read_text().splitlines()]


def published(project: Project, query: str = "select sum(views) from marts.user_daily_avg_flyer_time") -> Any:
    with duckdb.connect(str(project.folder / "published" / COPY), read_only=True) as connection:
        return connection.sql(query).fetchall()[0][0]


def test_what_lands_is_loaded_built_tested_and_published(
    start: Callable[[], Loop], project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = start()
    loop.turn()
    assert not loop.turn(), "a new database waits for events"

    put(lake, 0, message(1), message(2), "no json")
    assert loop.turn()
    [status] = statuses(project)
    now = datetime.now(UTC)
    assert {name: status[name] for name in ("cycle", "files", "events", "rejected", "published", "problem")} == {
        "cycle": 1,
        "files": 1,
        "events": 2,
        "rejected": 1,
        "published": True,
        "problem": None,
    }
    assert now - timedelta(seconds=60) < datetime.fromisoformat(status["published_at"]) <= now
    assert datetime.fromisoformat(status["loaded_to"]) < datetime.fromisoformat(status["published_at"])
    assert 60 <= status["age_secs"]["max"] < 300 and 30 <= status["newest_event_age_secs"] < status["age_secs"]["p50"]
    assert {*status["secs"]} == {"load", "dbt", "publish"}
    assert published(project) == 2
    assert not loop.memory.has_unknown, "all tests have read all rows before the first publication"

    put(lake, 3, message(3, day=2), partition=1)
    assert loop.turn()
    assert published(project) == 3

    # Nothing to do costs nothing.
    monkeypatch.setattr(loop, "work", lambda: pytest.fail("nothing is new"))
    assert not loop.turn()
    assert len(statuses(project)) == 2


def test_after_an_outage_it_catches_up_in_parts_and_says_how_far_behind_it_is(
    started: Loop, project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "MOST_FILES", 2)
    sizes = [put(lake, number, message(number), partition=number % 2).stat().st_size for number in range(3)]
    assert started.turn()
    status = statuses(project)[-1]
    assert (status["files"], status["behind_files"], status["behind_bytes"]) == (2, 1, sizes[2])
    assert 60 <= status["behind_secs"] < 300
    monkeypatch.setattr(loops, "MOST_FILES", 2000)
    monkeypatch.setattr(loops, "MOST_BYTES", 1)
    assert started.turn()
    assert statuses(project)[-1]["behind_files"] == 0
    assert published(project) == 4


def test_bad_messages_hold_nothing_up(started: Loop, project: Project, lake: Lake) -> None:
    """What would refuse a file: no line is an object, the first begins an array, keys are missing, all is known."""
    put(lake, 0, "no json", '"text"')
    put(lake, 2, "[1]", message(1))
    put(lake, 4, "{}", '{"user_id": "u1", "version": 2}')
    put(lake, 0, "[2]", partition=1)
    put(lake, 1, "[2]", partition=1)
    assert started.turn()
    assert (statuses(project)[-1]["rejected"], statuses(project)[-1]["problem"]) == (5 + 2, None)
    rejected = project.query("select line from raw.rejected_lines order by all")
    assert rejected == [('"text"',), ("[1]",), ("[2]",), ("[2]",), ("no json",)]
    assert project.query("select count(*) from staging.stg_flyer_app__rejected") == [(2,)]
    assert published(project) == 2
    assert not started.turn()


def test_a_damaged_object_keeps_no_others_from_loading_and_is_not_forgotten(
    started: Loop, start: Callable[[], Loop], project: Project, lake: Lake
) -> None:
    damaged = put(lake, 0, message(1))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9])
    put(lake, 1, message(2))
    assert started.turn()
    status = statuses(project)[-1]
    assert (status["events"], status["published"]) == (1, True)
    assert f"{damaged} is damaged" in status["problem"]
    assert not started.turn(), "it is not tried all the time"

    damaged.write_bytes(whole)
    restarted = start()
    assert restarted.turn()
    assert published(project) == 3
    assert restarted.memory.refused == start().memory.refused == []


def test_an_object_is_not_forgotten_by_a_loop_that_is_killed_after_its_load(
    started: Loop, start: Callable[[], Loop], project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = put(lake, 0, message(1))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9])
    put(lake, 1, message(2))
    load = started.warehouse.load

    def load_and_be_killed(names: Sequence[str]) -> None:
        load(names)
        raise KeyboardInterrupt

    monkeypatch.setattr(started.warehouse, "load", load_and_be_killed)
    with pytest.raises(KeyboardInterrupt):
        started.turn()
    damaged.write_bytes(whole)
    assert start().turn()
    assert published(project) == 3


def test_what_fails_a_test_of_all_rows_is_not_published(started: Loop, project: Project, lake: Lake) -> None:
    project.query("update marts.user_daily_avg_flyer_time set views = 0, measured_gaps = 0")
    started.stamp = started.warehouse.stamp()
    test = "a_user_day_has_a_view_or_a_gap"
    started.memory.runs[test] = Run(0, 0.1, passed=True)
    started.built_at = 1
    assert not started.turn()
    [status] = statuses(project)
    assert status["problem"].startswith(f"{test}: Got 1 result")
    assert started.memory.failing == [test]

    put(lake, 0, message(1))
    started.next_try = 0
    assert not started.turn()
    status = statuses(project)[-1]
    assert (status["events"], status["published"]) == (1, False)
    assert published(project) == 1

    project.query("update marts.user_daily_avg_flyer_time set views = 1 where views = 0")
    started.next_try = 0
    assert started.turn()
    assert (statuses(project)[-1]["published"], started.memory.failing) == (True, [])
    assert published(project) == 2


def test_what_fails_a_test_of_new_rows_is_not_published(
    tested: Loop, project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = project.manifest.nodes["model.flyer_analytics.int_flyer_reader_days"]
    with monkeypatch.context() as patch:
        patch.setattr(node, "raw_code", node.raw_code.replace("count(view_secs)", "1 + count(view_end_reason)"))
        put(lake, 0, message(1))
        assert not tested.turn()
    status = statuses(project)[-1]
    assert (status["events"], status["published"]) == (1, False)
    assert "measured_views_between_0_and_views: Got 1 result" in status["problem"]
    assert published(project) == 1

    tested.next_try = 0
    assert tested.turn()
    assert published(project) == 2


def test_all_tests_run_on_all_rows_a_few_at_a_time(started: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(started, "test", ran.extend)
    runs = started.memory.runs
    started.memory.runs = {name: Run(float(place), 2.0, passed=True) for place, (name, run) in enumerate(runs.items())}
    assert started.memory.due(built_at=time.time()) == [*runs][:2]
    assert started.memory.due(built_at=1.0) == [*runs][:1], "after that, nothing was built"


def test_others_have_their_turn_and_what_they_load_is_published(started: Loop, project: Project, lake: Lake) -> None:
    put(lake, 0, message(1))
    descriptor = acquire(lock_path(), "make load", 0)
    assert not started.turn() and not started.turn()
    assert "is in use by make load" in statuses(project)[-1]["problem"]
    assert len(statuses(project)) == 1, "it says so once"
    os.close(descriptor)
    (project.folder / "more.jsonl").write_text(message(2))
    project.load(project.folder / "more.jsonl")
    assert started.turn()
    assert published(project) == 3

    (project.folder / "evenmore.jsonl").write_text(message(3))
    project.load(project.folder / "evenmore.jsonl")
    assert started.turn(), "the file of the database has changed"
    assert published(project) == 4


def test_a_database_that_another_program_has_open_is_waited_for(started: Loop, project: Project, lake: Lake) -> None:
    put(lake, 0, message(1))
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(project.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert not started.turn()
        assert re.match(f"Waiting: .* is in use by process {holder.pid} ", statuses(project)[-1]["problem"])
        holder.communicate(b"\n")
    assert started.turn()
    assert published(project) == 2


def test_what_could_not_be_written_is_tried_again(
    started: Loop, project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(lake, 0, message(1))
    started.status = project.folder  # a folder cannot be appended to
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        patch.setattr(started.warehouse, "publish", Mock(side_effect=full))
        assert not started.turn()
    assert not started.turn(), "not at once"
    said = capsys.readouterr()
    assert "No space left on device" in said.out
    assert f"{project.folder} cannot be written: Is a directory" in said.err
    started.next_try = 0
    assert started.turn()
    assert published(project) == 2


def test_another_database_in_its_place_is_filled_again(
    started: Loop, project: Project, lake: Lake, built: Path
) -> None:
    put(lake, 0, message(1))
    assert started.turn()
    shutil.copy(built / project.database.name, project.database)
    assert started.turn()
    assert published(project) == 2


def test_a_clock_that_jumps_back_loses_nothing(started: Loop, project: Project, lake: Lake) -> None:
    future = "timestamp '2100-01-01'"
    project.query(f"update raw.loaded_files set _loaded_at = {future}")
    project.query(f"update staging.build_state set completed_to = {future}, staged_to = {future}")
    put(lake, 0, message(1))
    assert started.turn()
    assert published(project) == 2


def test_ages_are_weighted_by_messages() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ms = int(now.timestamp() * 1000)
    few, many = (
        Content(0, ms - 1000 * oldest, ms - 1000 * newest, count, None)
        for oldest, newest, count in ((90, 80, 1), (10, 0, 99))
    )
    assert ages([few, many], now) == {"p50": pytest.approx(5, abs=0.5), "p95": pytest.approx(9.75, abs=0.5), "max": 90}


# ---------- as a process
@pytest.fixture
def process(project: Project, tested: Loop) -> Iterator[Callable[..., subprocess.Popen[str]]]:  # noqa: ARG001
    running: list[subprocess.Popen[str]] = []
    environment = os.environ | {"FLYER_LAKE": str(project.folder / "lake"), "DBT_WRITE_JSON": "true"}

    def process(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flyer_analytics.stream.loop", *options]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield process
    for started in running:
        started.kill()
        started.communicate()


def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    process: Callable[..., subprocess.Popen[str]], project: Project, lake: Lake
) -> None:
    sent = 0
    for _ in range(2):
        put(lake, sent, message(sent), message(sent + 1), partition=0)
        sent += 2
    killed = process()
    assert killed.stdout
    killed.stdout.readline()  # it has started
    time.sleep(random.uniform(0, 3))
    killed.kill()
    killed.wait()
    done = process("--once")
    assert done.wait() == 0, done.communicate()
    assert published(project) == sent + 1
    assert project.query("select count(*), max(deliveries) from staging.stg_flyer_app__events_keyed") == [(sent + 1, 1)]


def test_a_second_loop_is_refused_and_the_first_one_stops_when_told(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    first = process()
    assert first.stdout
    assert first.stdout.readline().startswith("From ")
    second = process()
    assert second.wait() == 1
    assert "Another loop runs on this database: " in second.communicate()[1]
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 0
