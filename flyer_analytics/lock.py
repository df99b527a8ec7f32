"""One writer at a time per database: a lock that all commands share which load, build or publish.

``python -m flyer_analytics.lock [--wait SECONDS] -- command ...`` runs a command under the lock. It is a lock of the
operating system (flock) on a file beside the database, so it ends with the processes that hold it, however they end. A
file that is left behind locks nothing. What it says is only for the messages of those who wait.
"""

import argparse
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flyer_analytics.dbt_profile import PROFILES, database_path
from flyer_analytics.explained import with_way_out

# Longer than a cycle of the loop and most builds take. Who waits behind a full refresh of hours hears of it.
WAIT_SECS = 600.0
POLL_SECS = 0.1
HELD = "FLYER_LOCK_HELD"  # the file of the lock under which a process was started, so that it does not wait for itself


class LockedError(Exception):
    """The lock cannot be had. The message says who has it, or what is wrong, and what to do."""


def lock_path(target: str | None = None) -> Path:
    """Return the lock file: beside a database of DuckDB, for Redshift in the project's folder target/.

    ``target`` is dbt's, by default ``DBT_TARGET``.
    """
    if (target or os.environ.get("DBT_TARGET")) == "redshift":
        name = "-".join(os.environ.get(f"FLYER_REDSHIFT_{part}", "") for part in ("HOST", "DATABASE"))
        return PROFILES.parent / "target" / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"
    database = database_path().resolve()
    return database.with_name(f"{database.name}.lock")


@contextmanager
def writer_lock(command: str, wait_secs: float = WAIT_SECS, target: str | None = None) -> Iterator[None]:
    """Hold the lock of the database. ``command`` tells those who wait who has it.

    Waits for it up to ``wait_secs``, and says for whom. Does nothing if this process was started under the lock. Raises
    LockedError.
    """
    path, held_before = lock_path(target), os.environ.get(HELD)
    if held_before == str(path):
        yield
        return
    descriptor = acquire(path, command, wait_secs)
    os.environ[HELD] = str(path)
    try:
        yield
    finally:
        del os.environ[HELD]
        if held_before is not None:
            os.environ[HELD] = held_before
        os.close(descriptor)


def acquire(path: Path, command: str, wait_secs: float) -> int:
    """Lock the file at ``path`` and return its descriptor; to close it ends the lock. Raises LockedError."""
    deadline = time.monotonic() + wait_secs
    waits_for = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (descriptor := locked(path)) is None:
            holder = path.read_text(encoding="utf-8") or "another command"
            if time.monotonic() >= deadline:
                waited = f" Waited {wait_secs:,.0f} s." if wait_secs else ""
                raise LockedError(
                    f"{path.with_suffix('')} is in use by {holder}, and one command at a time may write to it.{waited}"
                    " Try again when that one has ended, or end it."
                )
            if holder != waits_for:
                print(f"Waiting for {holder} to end, at most {wait_secs:,.0f} s", file=sys.stderr, flush=True)
                waits_for = holder
            time.sleep(POLL_SECS)
        holder = f"{command} (process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)"
        os.truncate(descriptor, 0)
        os.write(descriptor, holder.encode(errors="backslashreplace"))
    except OSError as error:
        raise LockedError(with_way_out(f"{path} cannot be locked: {error.strerror}")) from error
    return descriptor


def locked(path: Path) -> int | None:
    """Return the descriptor of the file at ``path``, locked; None if another process has the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add the option for how many seconds to wait for the lock."""
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT_SECS,
        help="seconds to wait for another load or build (default: %(default).0f)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the command, which holds the lock until it and all that it has started have ended.

    Returns an exit status if there is no such command or the lock cannot be had.
    """
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.lock",
        description="Run a command while no other loads, builds or publishes (exit status 1 if it was not run).",
    )
    add_wait(parser)
    parser.add_argument("--as", dest="name", help="what those who wait are told (default: the command)")
    parser.add_argument("command", nargs="+", help="the command with its arguments, after --")
    options = parser.parse_args(arguments)
    path = lock_path()
    try:
        if os.environ.get(HELD) != str(path):
            descriptor = acquire(path, options.name or " ".join(options.command), options.wait)
            os.set_inheritable(descriptor, True)
        os.execvpe(options.command[0], options.command, os.environ | {HELD: str(path)})  # noqa: S606
    except (LockedError, OSError) as error:
        print(f"{options.command[0]} was not run: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
