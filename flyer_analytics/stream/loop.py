"""The loop: new objects of the lake -> load -> dbt -> publish -> status, in one process that runs until it is stopped.

    python -m flyer_analytics.stream.loop [--target duckdb|redshift] [--lake URL] [--status FILE] [--once]

Each cycle is as safe as the commands that it stands for: a load is one transaction, a build counts only when it is
complete, a file is published in one step. So it can be killed at any moment, and the next start goes on from what is in
the database. It holds the lock of the database for a cycle at a time, so `make load` and `make build` get their turn.
"""

import argparse
import gc
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunnerResult

from flyer_analytics.dbt_process import Dbt, DbtError
from flyer_analytics.explained import IN_USE, explained
from flyer_analytics.lock import LockedError, acquire, lock_path, writer_lock
from flyer_analytics.stream.kafka import SettingError, topic
from flyer_analytics.stream.lake import Entry, Lake, LakeError, LakeObject, open_lake
from flyer_analytics.stream.memory import Memory
from flyer_analytics.stream.status import Cycle, append
from flyer_analytics.stream.warehouse import DuckDb, Loaded, Redshift, Warehouse

POLL_SECS = 1.0  # also the pause after a cycle, in which others can take the lock
STREAM_SECS = 20.0  # between two looks at a stream on Redshift, each of which costs a query
# What a cycle takes from the lake, so that it ends within a minute: 1.2 million events, or 3 ms a file.
MOST_FILES = 2000
MOST_BYTES = 32_000_000
LONGEST_BACKOFF_SECS = 60.0
REFUSED_SECS = 600.0  # until objects that could not be loaded are tried again
IDLE_SECS = 60.0  # after which a line says that there is nothing new
STOP_SECS = 5.0  # in which a cycle may end by itself after SIGTERM
OBJECT = re.compile(r"partition=(\d+)/(\d{20})[.]jsonl[.]gz$")

ALL = ("build", "--exclude-resource-type", "unit_test")
# Left to the tests of all rows: seeds, which no cycle writes, and the view of all views, which nothing published reads
# and which cannot be computed for a few days alone.
TOUCHED = (
    *("build", "--exclude-resource-type", "unit_test", "seed", "exposure", "--indirect-selection", "cautious"),
    *("--exclude", "event_types,resource_type:test", "int_flyer_views,resource_type:test"),
)
OPTIONS = ("--threads", "1", "--no-write-json", "--log-level-file", "none")


class Loop:
    """The loop on one database. Without a ``lake`` it loads the stream that Redshift reads."""

    def __init__(
        self, dbt: Dbt, warehouse: Warehouse, lake: Lake | None, memory: Memory, status: Path | None = None
    ) -> None:
        self.dbt = dbt
        self.warehouse = warehouse
        self.lake = lake
        self.memory = memory
        self.status = status
        self.stopping = threading.Event()
        self.positions: dict[int, int] | None = None
        """By partition, the offset behind that of the last object that was taken."""
        self.unpublished: list[LakeObject] = []
        self.loaded_to: datetime | None = None
        """The last load that was published."""
        self.cycles = 0
        self.emitted_at = time.monotonic()
        self.built_at = 0.0
        self.stamp = warehouse.stamp()
        self.must_build = self.must_publish = False
        self.problem: str | None = None
        self.failures = 0
        self.next_try = self.next_stream = 0.0
        self.next_refused = 0.0

    def run(self, *, once: bool = False) -> bool:
        """Run until stopped, or ``once`` until nothing is left to do. Returns whether all was done."""
        while not self.stopping.is_set():
            if not self.turn() and once:
                break
            if time.monotonic() - self.emitted_at >= IDLE_SECS:
                self.emit(Cycle(self.cycles, datetime.now(UTC), problem=self.problem))
            self.stopping.wait(POLL_SECS if not once else 0)
        return self.problem is None and not self.memory.refused

    def stop(self) -> None:
        """End after this cycle; abandon it if that takes long, which loses no more than a kill does."""
        self.stopping.set()
        abandon = threading.Timer(STOP_SECS, os._exit, [0])
        abandon.daemon = True
        abandon.start()

    def turn(self) -> bool:
        """Do what there is to do. Returns whether there was anything, and it went well."""
        try:
            if time.monotonic() < self.next_try or not self.has_work():
                return False
            with writer_lock("the loop", wait_secs=0):
                self.work()
            self.failures, self.problem = 0, None
            return True
        except Exception as error:  # whatever it is, the next turn may go well
            problem = explained(error) or repr(error)
            if isinstance(error, LockedError) or IN_USE in problem:
                self.report(f"Waiting: {problem}")
                return False
            self.next_try = time.monotonic() + min(2.0**self.failures, LONGEST_BACKOFF_SECS)
            self.failures += 1
            self.report(problem)
        return False

    # ---------- what there is to do
    def has_work(self) -> bool:
        """Return whether there is anything to do. Opens no database."""
        return bool(
            self.positions is None
            or self.must_build
            or self.must_publish
            or self.warehouse.stamp() != self.stamp
            or self.is_stream_due()
            or self.refused_to_retry()
            or self.waiting()
            or self.memory.due(self.built_at)
        )

    def is_stream_due(self) -> bool:
        return self.lake is None and time.monotonic() >= self.next_stream

    def refused_to_retry(self) -> list[str]:
        return self.memory.refused if time.monotonic() >= self.next_refused else []

    def waiting(self) -> list[Entry]:
        """Return the objects that were not taken yet, those first that are next in their partitions."""
        if self.lake is None:
            return []
        entries = self.lake.new_entries(topic(), self.positions or {})
        places = [
            (place, partition, entry)
            for partition, found in groupby(entries, key=lambda entry: entry.partition)
            for place, entry in enumerate(found)
        ]
        return [entry for _, _, entry in sorted(places, key=lambda it: it[:2])]

    # ---------- doing it
    def work(self) -> None:
        """Run a cycle if anything is new, then some tests of all rows."""
        if self.positions is None or self.warehouse.stamp() != self.stamp:
            self.begin()  # others may have loaded, built, or put another database in its place
        entries = self.waiting()
        refused = self.refused_entries()
        if entries or refused or self.must_build or self.must_publish or self.is_stream_due():
            self.cycle(entries, refused)
        self.test(self.memory.due(self.built_at))
        self.stamp = self.warehouse.stamp()

    def begin(self) -> None:
        """Find out behind which objects of the lake to go on, and build what others or a killed loop have loaded."""
        names, has_events = self.warehouse.loaded(self.lake.store.url(topic(), "") if self.lake else "")
        self.positions = {int(found[1]): int(found[2]) + 1 for name in names if (found := OBJECT.search(name))}
        self.must_build = has_events  # without any, dbt would build the sample
        self.stamp = self.warehouse.stamp()

    def refused_entries(self) -> list[Entry]:
        """Return the objects that could not be loaded, if it is time to try again. Forget those that are gone."""
        names = self.refused_to_retry()
        entries = []
        for name in names:
            found = OBJECT.search(name)
            if self.lake and found:
                first = self.lake.page(topic(), int(found[1]), int(found[2]))[0][:1]
                entries += [entry for entry in first if entry.name == name]
        if names:
            self.next_refused = time.monotonic() + REFUSED_SECS
            self.memory.doubt(entry.name for entry in entries)
        return entries

    def cycle(self, entries: Sequence[Entry], refused: Sequence[Entry]) -> None:
        """Load, build and publish. Raises an exception if something could not be done; the next cycle goes on there."""
        self.cycles += 1
        cycle = Cycle(self.cycles, datetime.now(UTC))
        batch, rest = parted(entries)
        try:
            must_build, self.must_build = self.must_build, True  # if this fails, it may have loaded something
            with timed(cycle, "load"):
                loaded = self.load([*dict.fromkeys([*refused, *batch])])
            self.must_build = must_build or loaded.rows > 0
            cycle.files, cycle.events, cycle.rejected = len(refused) + len(batch), loaded.rows, loaded.rejected
            cycle.behind_files, cycle.behind_bytes = len(rest), sum(entry.size for entry in rest)
            cycle.behind_secs = self.oldest_secs(rest)
            cycle.problem = "; ".join(loaded.problems) or None
            if self.must_build:
                with timed(cycle, "dbt"):
                    self.build()
            if self.must_publish:
                self.publish(cycle)
        except Exception as error:
            problem = explained(error) or repr(error)
            if IN_USE not in problem and (cycle.files or problem != self.problem):
                self.problem, cycle.problem = problem, "; ".join(filter(None, [cycle.problem, problem]))
                self.emit(cycle)
            raise
        if cycle.files or cycle.events or cycle.published:
            self.emit(cycle)

    def load(self, entries: Sequence[Entry]) -> Loaded:
        """Load objects, or the stream. Those that cannot be loaded keep no others from loading."""
        if isinstance(self.warehouse, Redshift) and self.lake is None:
            self.next_stream = time.monotonic() + STREAM_SECS
            return self.warehouse.load_stream()
        if not entries:
            return Loaded()
        assert self.positions is not None
        names = {entry.name for entry in entries}
        # Saved before the load: if this process is killed after it, the next one asks for these objects again.
        self.memory.doubt({*self.memory.refused} | names)
        loaded = self.warehouse.load([entry.name for entry in entries])
        refused = {name for name in names if any(problem.startswith(f"{name} ") for problem in loaded.problems)}
        self.memory.doubt({*self.memory.refused} - names | refused)
        if refused:
            self.next_refused = time.monotonic() + REFUSED_SECS
        for entry in entries:
            self.positions[entry.partition] = max(self.positions.get(entry.partition, 0), entry.first_offset + 1)
        self.unpublished += self.described([entry for entry in entries if entry.name not in refused])
        return loaded

    def build(self) -> None:
        """Build all models and test them: what this increment writes, or all rows if a test has never read them.

        Raises DbtError if anything fails. The tables then have no complete build, and the next one goes on with it.
        """
        tests_all = self.memory.has_unknown
        os.environ["FLYER_TEST_SCOPE"] = "all" if tests_all else "touched"
        result = self.dbt.invoke(*(ALL if tests_all else TOUCHED), *OPTIONS)
        self.built_at = time.time()
        if tests_all:
            self.memory.record(test_results(result))
        self.require_success(result)
        self.must_build, self.must_publish = False, True

    def publish(self, cycle: Cycle) -> None:
        """Publish the marts, unless a test of all rows fails. Raises DbtError if one does."""
        with timed(cycle, "publish"):
            self.test(self.memory.failing)
            self.loaded_to, rejected = self.warehouse.built(self.loaded_to)
            self.warehouse.publish()
        self.must_publish = False
        cycle.rejected += rejected
        cycle.published, cycle.published_at, cycle.loaded_to = True, datetime.now(UTC), self.loaded_to
        cycle.measure(self.unpublished, cycle.published_at)
        self.unpublished = []

    def test(self, names: Sequence[str]) -> None:
        """Run data tests on all rows. Raises DbtError if one fails."""
        if names:
            result = self.dbt.invoke("test", "--select", *names, *OPTIONS)
            self.memory.record(test_results(result))
            self.require_success(result)

    def require_success(self, result: dbtRunnerResult) -> None:
        if result.success:
            return
        nodes = result.result.results if isinstance(result.result, RunExecutionResult) else []
        failed = [f"{it.node.name}: {it.message}" for it in nodes if it.status in ("error", "fail")]
        raise DbtError("; ".join(failed) or self.dbt.reason(result))

    # ---------- saying it
    def described(self, entries: Sequence[Entry]) -> list[LakeObject]:
        """Return objects with their headers. Those without one are left out: they only cannot be measured."""
        described = []
        for entry in entries:
            try:
                assert self.lake
                described.append(self.lake.describe(entry))
            except LakeError:
                continue
        return described

    def oldest_secs(self, entries: Sequence[Entry]) -> float:
        """Return the age of the oldest message in objects that wait, in seconds."""
        first = {entry.partition: entry for entry in reversed(entries)}
        now = datetime.now(UTC)
        ages = [(now - found.oldest).total_seconds() for found in self.described([*first.values()])]
        return round(max(ages, default=0.0), 2)

    def report(self, problem: str) -> None:
        """Say what is wrong, once."""
        if problem != self.problem:
            self.problem = problem
            self.emit(Cycle(self.cycles, datetime.now(UTC), problem=problem))

    def emit(self, cycle: Cycle) -> None:
        cycle.at = datetime.now(UTC)
        cycle.positions = self.positions or {}
        self.emitted_at = time.monotonic()
        print(cycle, flush=True)
        if self.status:
            try:
                append(self.status, cycle.json())
            except OSError as error:
                print(f"{self.status} cannot be written: {error.strerror}", file=sys.stderr, flush=True)


@contextmanager
def timed(cycle: Cycle, name: str) -> Iterator[None]:
    """Add how long something took to the cycle."""
    started = time.monotonic()
    try:
        yield
    finally:
        cycle.secs[name] = round(time.monotonic() - started, 2)


def parted(entries: Sequence[Entry]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Return what one cycle takes, and the rest."""
    size = 0
    for place, entry in enumerate(entries[:MOST_FILES]):
        size += entry.size
        if place and size > MOST_BYTES:
            return entries[:place], entries[place:]
    return entries[:MOST_FILES], entries[MOST_FILES:]


def test_results(result: dbtRunnerResult) -> list[tuple[str, float, bool]]:
    """Return the tests that ran: name, seconds, whether they passed."""
    nodes = result.result.results if isinstance(result.result, RunExecutionResult) else []
    return [
        (it.node.name, it.execution_time, it.status in ("pass", "warn"))
        for it in nodes
        if it.node.resource_type == NodeType.Test and it.status in ("pass", "warn", "fail", "error")
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loop. Returns 1 if it could not start, or with --once if not all was done."""
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.stream.loop",
        description="Load new objects of the lake, build, test and publish, until stopped.",
    )
    parser.add_argument("--target", default=os.environ.get("DBT_TARGET", "duckdb"), choices=["duckdb", "redshift"])
    parser.add_argument(
        "--lake",
        default=os.environ.get("FLYER_LAKE"),
        help="a folder or s3://bucket/prefix (default: FLYER_LAKE; or else the folder lake beside the database, and on"
        " Redshift the stream that create_stream reads)",
    )
    parser.add_argument(
        "--status", type=Path, default=os.environ.get("FLYER_STATUS"), help="file for a JSON line a cycle"
    )
    parser.add_argument("--once", action="store_true", help="end when nothing is left to do")
    options = parser.parse_args(arguments)
    os.environ["DBT_TARGET"] = options.target
    lock = lock_path()
    try:
        acquire(lock.with_suffix(".loop.lock"), "the loop", wait_secs=0)  # for as long as this process lives
        lake = None if options.target == "redshift" and not options.lake else open_lake(options.lake)
        dbt = Dbt(options.target)
    except LockedError as error:
        print(f"Another loop runs on this database: {error}", file=sys.stderr)
        return 1
    except (SettingError, DbtError) as error:
        print(error, file=sys.stderr)
        return 1
    gc.freeze()  # the project, of which the collector would read all again and again
    warehouse = DuckDb(dbt) if options.target == "duckdb" else Redshift(dbt)
    memory = Memory.of(dbt.manifest, lock.with_suffix(".loop.json"), is_new=warehouse.is_new)
    loop = Loop(dbt, warehouse, lake, memory, options.status)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.stop())
    print(f"From {topic() if lake is None else lake.store.url(topic(), '')} to {lock.with_suffix('')}", flush=True)
    is_done = loop.run(once=options.once)
    gc.unfreeze()
    return 0 if is_done or not options.once else 1


if __name__ == "__main__":
    sys.exit(main())
