"""The lock that all commands share which write to a database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from flyer_analytics.load.__main__ import main as load
from flyer_analytics.lock import HELD, LockedError, lock_path, writer_lock

UNDER_LOCK = [sys.executable, "-m", "flyer_analytics.lock"]
WAITING = ("sh", "-c", "echo started; read line")
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / "flyer_analytics.duckdb"))
    return tmp_path / "flyer_analytics.duckdb"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command under the lock; it runs until its stdin is closed."""
    started = []

    def start(
        *options: str, command: tuple[str, ...] = ("sh", "-c", "echo started; read line")
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*UNDER_LOCK, *options, "--", *command],
            env={name: value for name, value in os.environ.items() if name != HELD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line_of(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline().strip()


def test_a_second_writer_is_told_who_has_the_lock(start: Start) -> None:
    holder = start("--as", "make build")
    assert line_of(holder.stdout) == "started"
    told = rf"in use by make build \(process {holder.pid}, since 20.* UTC\).*end it"
    with pytest.raises(LockedError, match=told), writer_lock("make load", wait_secs=0):
        pass


def test_a_writer_waits_says_for_whom_and_gets_its_turn(start: Start) -> None:
    with writer_lock("make load"):
        waiting = start("--wait", "60")
        assert line_of(waiting.stderr).startswith(f"Waiting for make load (process {os.getpid()}, since")
    assert line_of(waiting.stdout) == "started"


def test_a_killed_writer_leaves_nothing_behind(start: Start) -> None:
    holder = start()
    assert line_of(holder.stdout) == "started"
    holder.kill()
    holder.wait()
    with writer_lock("make load", wait_secs=0):
        pass


def test_what_a_killed_command_has_started_keeps_the_lock(start: Start) -> None:
    holder = start(command=("sh", "-c", "sleep 60 & echo $!; wait"))
    child = int(line_of(holder.stdout))
    holder.kill()
    holder.wait()
    with pytest.raises(LockedError), writer_lock("make load", wait_secs=0):
        pass
    os.kill(child, signal.SIGKILL)
    with writer_lock("make load", wait_secs=30):
        pass


def test_a_command_under_the_lock_does_not_wait_for_itself_and_keeps_its_status() -> None:
    with writer_lock("make build", wait_secs=0), writer_lock("load", wait_secs=0):
        nested = [*UNDER_LOCK, "--wait", "0", "--", *UNDER_LOCK, "--wait", "0", "--", "sh", "-c", "exit 3"]
        assert subprocess.run(nested, check=False).returncode == 3
    assert "FLYER_LOCK_HELD" not in os.environ


def test_other_databases_have_other_locks(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert line_of(start().stdout) == "started"
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / "other.duckdb"))
    with writer_lock("make load", wait_secs=0):
        assert line_of(start("--wait", "0").stderr).startswith("sh was not run: ")
    monkeypatch.setenv("FLYER_REDSHIFT_HOST", "flyer.1234.redshift.example")
    monkeypatch.setenv("FLYER_REDSHIFT_DATABASE", "flyer/one")
    assert lock_path("redshift").name == "flyer.1234.redshift.example-flyer_one.lock"


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / "file" / "flyer_analytics.duckdb"))
    told = "flyer_analytics.duckdb.lock cannot be locked: .*move the file away"
    with pytest.raises(LockedError, match=told), writer_lock("make load"):
        pass


def test_a_missing_command_is_named(start: Start) -> None:
    process = start(command=("no-such-command",))
    assert "no-such-command was not run: " in process.communicate()[1]
    assert process.returncode == 1


def test_a_load_waits_for_its_turn(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert line_of(start("--as", "make build").stdout) == "started"
    assert load(["--wait", "0", "events.csv"]) == 1
    assert "flyer_analytics.duckdb is in use by make build" in capsys.readouterr().err
