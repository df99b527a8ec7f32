"""One run of the pipeline on this machine: start its parts, replay a world, check what was published."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from flyer_analytics import generate
from flyer_analytics.load import disk
from flyer_analytics.publish import COPY
from flyer_analytics.stream import broker
from flyer_analytics.stream.kafka import kafka_config
from flyer_analytics.stream.lake import Lake, open_lake
from flyer_analytics.stream.ledger import different_rows, hold
from flyer_analytics.stream.parts import Disturbance, Part, disturb, disturbances
from flyer_analytics.stream.proxy import Proxy
from flyer_analytics.stream.replay import Replay
from flyer_analytics.stream.world import ZONE

PROMISED_SECS = 120
READY_SECS = 60
PUBLISH_SECS = 900  # after the last event, for a backlog
HISTORY_DAYS = 10
POLL_SECS = 0.2


class TrialError(Exception):
    """The trial cannot go on. The message says why."""


@dataclass(frozen=True)
class Kafka:
    """A broker, and what can be done to it."""

    servers: str
    disturbances: Sequence[Disturbance] = ()
    proxy: Proxy | None = None


@contextmanager
def embedded_kafka() -> Iterator[Kafka]:
    """Run the embedded broker behind a proxy that can cut its connections.

    It keeps messages in memory: it can be stopped for a while, but not killed. Raises TrialError.
    """
    ports = broker.free_port(), broker.free_port()
    try:
        with broker.broker(*ports) as started:
            proxy = Proxy(ports[1], ports[0])
            _kill, stop = disturbances("the broker", lambda: started.process)
            yield Kafka(started.address, [Disturbance("cut connections to the broker", proxy.cut), stop], proxy)
    except broker.BrokerError as error:
        raise TrialError(str(error)) from error


@dataclass(frozen=True)
class Trial:
    """What to run, and where."""

    folder: Path
    """Emptied first."""
    rate: float = 50
    """Events a second."""
    speed: float = 1
    """Seconds of the world that pass in one second."""
    seconds: float | None = None
    """How long to send; None: see Replay."""
    seed: int = 1
    history: int = 0
    """Events in the database from the start, of the HISTORY_DAYS before."""
    kills: int = 0
    """How many times to kill or stop a part."""
    stopped_secs: float = 20

    @property
    def database(self) -> Path:
        return self.folder.absolute() / "flyer_analytics.duckdb"

    @property
    def reference(self) -> Path:
        """A database of the same name, because dbt calls a database by the name of its file."""
        return self.database.parent / "reference" / self.database.name

    @property
    def ledger(self) -> Path:
        return self.database.with_name("ledger.jsonl")

    @property
    def statuses(self) -> Path:
        return self.database.with_name("status.jsonl")

    @property
    def published(self) -> Path:
        return self.database.with_name("published")

    @property
    def lake(self) -> Path:
        return self.database.with_name("lake")

    def environment(self, servers: str, topic: str) -> dict[str, str]:
        """Return what all parts need to know."""
        return environment(self.database) | {
            "FLYER_KAFKA": servers,
            "FLYER_KAFKA_TOPIC": topic,
            "FLYER_LAKE": str(self.lake),
            "FLYER_PUBLISHED_PATH": str(self.published),
            "FLYER_STATUS": str(self.statuses),
        }


def environment(database: Path) -> dict[str, str]:
    """Return what dbt needs to know to build a database with no trace elsewhere."""
    written = str(database.with_name("dbt"))
    return {
        "DBT_LOG_PATH": written,
        "DBT_TARGET": "duckdb",
        "DBT_TARGET_PATH": written,
        "FLYER_DUCKDB_PATH": str(database),
    }


async def run(trial: Trial, kafka: Kafka) -> int:
    """Run a trial, and return the exit status: 0 if every event was published once, within PROMISED_SECS.

    Raises TrialError if a part does not do its work.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    prepare(trial)
    since = fill(trial)
    async with kafka.proxy.serving() if kafka.proxy else nullcontext():
        topic = await asyncio.to_thread(create_topic, kafka.servers)
        url = f"http://127.0.0.1:{broker.free_port()}"
        replay = Replay(url, trial.ledger, trial.rate, trial.speed, trial.seconds, trial.seed)
        parts = pipeline(trial, kafka.servers, topic, url)
        try:
            for part in parts:
                part.start()
            async with beside(show(trial.statuses), *(part.keep(say) for part in parts)):
                await work(trial, kafka, topic, parts, replay, stop)
        finally:
            for part in parts:
                part.kill()
        if not kafka.proxy:
            await asyncio.to_thread(delete_topic, kafka.servers, topic)
    return report(trial, replay, since)


def pipeline(trial: Trial, servers: str, topic: str, url: str) -> list[Part]:
    """Return the collector, the lander and the loop."""
    options = {"collector": ["--port", url.rpartition(":")[2]], "lander": [], "loop": []}
    environment = trial.environment(servers, topic)
    return [
        Part(name, ["-m", f"flyer_analytics.stream.{name}", *given], environment, trial.folder / f"{name}.log")
        for name, given in options.items()
    ]


async def work(
    trial: Trial, kafka: Kafka, topic: str, parts: Sequence[Part], replay: Replay, stop: asyncio.Event
) -> None:
    """Replay the world through the running ``parts``, and end them one after the other when all is published."""
    collector, lander, loop = parts
    await until(lambda: is_ready(replay.collector), READY_SECS, f"the collector is not ready, see {collector.log}")
    say(f"Sending {trial.rate:g} events a second to {replay.collector}/events. Ctrl-C ends it")
    can_happen = [*kafka.disturbances, *(one for part in parts for one in disturbances(part.name, part.running))]
    async with beside(disturb(can_happen, trial.kills, trial.seconds or 0, trial.stopped_secs, trial.seed, say)):
        await replay.run(stop)
    for disturbance in can_happen:
        if disturbance.end:
            disturbance.end()
    say(f"Sent {replay.sent:,} events. Waiting until all are published")
    progress = Progress(open_lake(str(trial.lake)), topic)
    await until(
        lambda: progress.landed() >= replay.acknowledged, PUBLISH_SECS, f"not all have landed, see {lander.log}"
    )
    await lander.end()
    await until(lambda: progress.is_published(trial.statuses), PUBLISH_SECS, f"not all are published, see {loop.log}")
    await loop.end()
    await collector.end()


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do ``work`` at the same time, and cancel what is left of it at the end. Raises what one of them raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def until(is_so: Callable[[], bool], secs: float, problem: str) -> None:
    """Wait. Raises TrialError after ``secs``."""
    try:
        async with asyncio.timeout(secs):
            while not is_so():
                await asyncio.sleep(POLL_SECS)
    except TimeoutError:
        raise TrialError(f"{problem} (waited {secs:g} s)") from None


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def create_topic(servers: str) -> str:
    """Create a topic of its own for a trial, and return its name. Raises TrialError."""
    name = f"flyer-events-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    admin = AdminClient({**kafka_config(), "bootstrap.servers": servers})
    try:
        admin.create_topics([NewTopic(name, 3)])[name].result(READY_SECS)
    except KafkaException as error:
        raise TrialError(f"Topic {name} could not be created at {servers}: {error}") from error
    return name


def delete_topic(servers: str, name: str) -> None:
    """Delete the topic of a trial from a broker that stays."""
    admin = AdminClient({**kafka_config(), "bootstrap.servers": servers})
    try:
        admin.delete_topics([name])[name].result(READY_SECS)
    except KafkaException as error:
        say(f"Topic {name} is still at {servers}: {error}")


async def show(statuses: Path) -> None:
    """Print the loop's statuses as they come."""
    with statuses.open(encoding="utf-8") as lines:
        while True:
            if line := lines.readline():
                status = json.loads(line)
                if status["files"] or status["published"] or status["problem"]:
                    say(summary(status))
            else:
                await asyncio.sleep(POLL_SECS)


def prepare(trial: Trial) -> None:
    """Empty the folder. Raises TrialError if it holds something that no trial wrote."""
    if trial.folder.exists() and any(trial.folder.iterdir()) and not trial.ledger.exists():
        raise TrialError(f"{trial.folder} is not empty, and not of an earlier run: choose another folder")
    shutil.rmtree(trial.folder, ignore_errors=True)
    trial.reference.parent.mkdir(parents=True)
    trial.ledger.touch()
    trial.statuses.touch()


def fill(trial: Trial) -> datetime:
    """Build the history that was asked for, and keep a copy for the reference. Returns its last load, UTC."""
    if not trial.history:
        return datetime.min
    say(f"Building a history of {trial.history:,} events")
    plan = generate.Plan(
        events=trial.history,
        users=max(1, trial.history // (generate.EVENTS_PER_USER_AND_DAY * HISTORY_DAYS)),
        days=HISTORY_DAYS,
        start=datetime.now(ZONE).date() - timedelta(days=HISTORY_DAYS + 1),  # so that no event is of the future
        seed=trial.seed,
        timezone=ZONE,
    )
    file = trial.folder / "history.parquet"
    generate.generate(plan, file)
    build(trial.database, file)
    shutil.copyfile(trial.database, trial.reference)
    with duckdb.connect(str(trial.database), read_only=True) as connection:
        loaded_at: datetime = connection.execute("select max(_loaded_at) from raw.loaded_files").fetchall()[0][0]
    return loaded_at


def build(database: Path, file: Path) -> None:
    """Load a file and build the models, as a batch does."""
    disk.load(str(file), database, lambda _line: None)
    dbt = Path(sys.executable).with_name("dbt")
    subprocess.run([dbt, "--quiet", "run"], env=os.environ | environment(database), check=True)


def report(trial: Trial, replay: Replay, since: datetime) -> int:
    """Check what was published, and return the exit status. The last line has the figures."""
    say("Building the same events in one go, to compare the marts")
    counted = trial.database.with_name("counted.jsonl")
    held = hold(trial.database, trial.ledger, replay.unacknowledged, trial.statuses, since, counted)
    build(trial.reference, counted)
    different = different_rows(trial.published / COPY, trial.reference)
    problems = [f"{mart}: {rows:,} rows differ from a build in one go" for mart, rows in different.items()]
    if replay.unacknowledged:
        problems.append(f"{len(replay.unacknowledged):,} events were not acknowledged, and are not counted")
    if held.max and held.max > PROMISED_SECS:
        problems.append(f"An event was published after more than {PROMISED_SECS} s")
    for problem in problems:
        say(problem)
    print(held, flush=True)
    return 0 if held.is_complete and held.sent and not problems else 1


def say(line: str) -> None:
    print(f"{datetime.now():%H:%M:%S}  {line}", flush=True)


class Progress:
    """What of a topic is in the lake, and whether the loop has published all of it."""

    def __init__(self, lake: Lake, topic: str) -> None:
        self.lake = lake
        self.topic = topic
        self.messages = 0
        self.positions: dict[int, int] = {}
        """By partition, the offset behind that in the name of the last object."""

    def landed(self) -> int:
        """Return how many messages are in the lake."""
        for entry in self.lake.new_entries(self.topic, self.positions):
            self.messages += self.lake.describe(entry).messages
            self.positions[entry.partition] = entry.first_offset + 1
        return self.messages

    def is_published(self, statuses: Path) -> bool:
        """Return whether the last of the loop's statuses has all that is in the lake."""
        self.landed()
        lines = statuses.read_text(encoding="utf-8").splitlines()
        last = json.loads(lines[-1]) if lines else {"problem": None, "positions": {}}
        positions = {str(partition): position for partition, position in self.positions.items()}
        return not last["problem"] and last["positions"] == positions


def summary(status: dict[str, Any]) -> str:
    """Return what to show of a cycle."""
    age, secs = status["age_secs"], status["secs"]
    parts = [f"{status['events']:,} events in, {status['rejected']:,} rejected"]
    if status["published"] and age:
        parts.append(
            f"published: newest {status['newest_event_age_secs']:.1f} s old, p50 {age['p50']:.1f} s,"
            f" p95 {age['p95']:.1f} s, max {age['max']:.1f} s"
        )
    if status["behind_files"]:
        parts.append(f"{status['behind_files']:,} files behind")
    parts.append(", ".join(f"{step} {taken:.1f} s" for step, taken in secs.items()))
    if status["problem"]:
        parts.append(f"NOT PUBLISHED: {status['problem']}")
    return "; ".join(parts)
