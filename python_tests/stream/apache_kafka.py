"""Apache Kafka itself for tests: one process on this machine, which can be killed and started again.

It needs Java and Maven, which fetches the jars that tests/kafka/pom.xml names, once.
"""

import base64
import fcntl
import hashlib
import re
import shutil
import subprocess
import time
import uuid
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from flyer_analytics.stream.broker import free_port

PROJECT = Path(__file__).parents[2]
POM = PROJECT / "tests" / "kafka" / "pom.xml"
HASHES = POM.with_name("jars.sha256")
JARS = PROJECT / "target" / "kafka"
OLDEST_JAVA = 17
START_SECS = 60  # on two cores it takes 2 to 3
FETCH_SECS = 300  # from an empty repository it takes 10 to 15

# Small and fast to start, for a process that lives for seconds.
JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"

# One node as broker and controller, so the topics of Kafka itself have one replica. Heartbeats are frequent, since the
# controller lets a broker that was killed back in only when the session of the one before has ended.
PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "2097152",  # 128 MB by default
}


class KafkaUnavailableError(Exception):
    """Apache Kafka cannot run on this machine; the message says why, and what to install."""


class ApacheKafka:
    """A broker at ``bootstrap``, whose data is in ``folder`` and survives ``kill``.

    As a context manager it is started, and killed at the end.

    Raises:
        KafkaUnavailableError: if Java or Maven is missing, or Maven cannot fetch the jars.
    """

    def __init__(self, folder: Path) -> None:
        self._java = [*JAVA, LOG_LEVEL, "-classpath", ":".join(str(jar) for jar in jars())]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "kafka.log"
        self._properties = folder / "server.properties"
        broker, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{broker}"
        folder.mkdir(parents=True, exist_ok=True)
        settings = PROPERTIES | {
            "listeners": f"BROKER://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "log.dirs": str(folder / "data"),
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._format()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the broker, and return once it answers.

        Raises:
            RuntimeError: if it ends, or does not answer within ``START_SECS``.
        """
        assert self._process is None, "Kafka runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Kafka did not start. The end of its log:\n{self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """End the broker at once, as kill -9 does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", "--standalone", f"--cluster-id={cluster}", "--config", str(self._properties)]
        run = subprocess.run([*self._java, "kafka.tools.StorageTool", *arguments], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"Kafka could not format {self._properties.parent}:\n{run.stdout}{run.stderr}")


@cache
def jars() -> list[Path]:
    """The jars of Apache Kafka, fetched if they are not there, each with the hash that it must have.

    Raises:
        KafkaUnavailableError: if Java or Maven is missing, or Maven cannot fetch them.
        RuntimeError: if there are others than in ``jars.sha256``.
    """
    _require_java()
    expected = dict(line.split()[::-1] for line in HASHES.read_text().splitlines())
    JARS.parent.mkdir(exist_ok=True)
    with JARS.with_suffix(".lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _hashes() != expected:
            _fetch()
        found = _hashes()
    if found != expected:
        names = sorted(name for name, _ in found.items() ^ expected.items())
        raise RuntimeError(f"Jars in {JARS} differ from {HASHES}: {', '.join(names)}. See {POM}.")
    return [JARS / name for name in sorted(expected)]


def _hashes() -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in JARS.glob("*.jar")}


def _fetch() -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise KafkaUnavailableError("Maven is not installed (Debian and Ubuntu: sudo apt-get install maven)")
    shutil.rmtree(JARS, ignore_errors=True)
    options = ["--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)]
    try:
        run = subprocess.run(
            [maven, *options, "dependency:copy-dependencies"], capture_output=True, text=True, timeout=FETCH_SECS
        )
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailableError(f"Maven could not fetch Apache Kafka within {FETCH_SECS} s") from error
    if run.returncode:
        raise KafkaUnavailableError(f"Maven could not fetch Apache Kafka:\n{run.stdout[-1500:]}{run.stderr[-500:]}")


def _require_java() -> None:
    install = f"Java {OLDEST_JAVA} or later is needed (Debian and Ubuntu: sudo apt-get install default-jre-headless)"
    java = shutil.which("java")
    if not java:
        raise KafkaUnavailableError(f"java was not found. {install}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if not version or int(version[1]) < OLDEST_JAVA:
        raise KafkaUnavailableError(f"{said.strip()}. {install}")
