"""From the collector's producer through Apache Kafka to the lake, while Kafka and the lander are killed."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from flyer_analytics.stream import collector
from flyer_analytics.stream.lake import LakeObject, open_lake
from python_tests.stream.apache_kafka import ApacheKafka

TOPIC = "flyer-events"
PARTITIONS = 3
USERS = 50
BATCH = 20  # messages
PAUSE_SECS = 0.01  # between batches
WAIT_SECS = 60


@pytest.fixture
def kafka(apache_kafka: ApacheKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApacheKafka:
    """Apache Kafka with a topic."""
    client = AdminClient({"bootstrap.servers": apache_kafka.bootstrap, "log_level": 0})
    client.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
    monkeypatch.setenv("FLYER_KAFKA", apache_kafka.bootstrap)
    monkeypatch.setenv("FLYER_LAKE", str(tmp_path / "lake"))
    return apache_kafka


class Lander:
    """The lander in a process of its own."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "flyer_analytics.stream.lander", "--seconds", "0.2"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def test_each_message_is_in_the_lake_once_and_in_order(kafka: ApacheKafka) -> None:
    lander = Lander()
    try:
        sent = asyncio.run(send_during(lambda: kill_all_in_turn(kafka, lander)))
        wait_until("all messages are in the lake", lambda: landed() >= sent)
    finally:
        lander.kill()

    numbers = numbers_in_the_lake()
    assert Counter(number for found in numbers.values() for number in found) == Counter(range(sent))
    assert numbers == {partition: sorted(found) for partition, found in numbers.items()}


def kill_all_in_turn(kafka: ApacheKafka, lander: Lander) -> None:
    victims: list[list[ApacheKafka | Lander]] = [[kafka], [lander], [kafka, lander]]
    for killed in victims:
        wait_until_more_is_landed()
        for victim in killed:
            victim.kill()
        for victim in killed:
            victim.start()
    wait_until_more_is_landed()


async def send_during(action: Callable[[], None]) -> int:
    """Send numbered messages while ``action`` runs. Returns how many, once Kafka has acknowledged all of them."""
    # Without idempotence, what Kafka had written but not acknowledged when it was killed is there twice.
    kafka = {"bootstrap.servers": os.environ["FLYER_KAFKA"], "enable.idempotence": "true"}
    producer = collector.Kafka(collector.Settings(TOPIC, kafka, (), 0, ack_secs=WAIT_SECS))
    acting = asyncio.create_task(asyncio.to_thread(action))
    sends: list[asyncio.Task[None]] = []
    while not acting.done():
        numbers = range(BATCH * len(sends), BATCH * (len(sends) + 1))
        messages = [(b"user %d" % (number % USERS), b'{"number": %d}' % number) for number in numbers]
        sends.append(asyncio.create_task(producer.send(messages)))
        await asyncio.sleep(PAUSE_SECS)
    await asyncio.gather(acting, *sends)
    await asyncio.to_thread(producer.close)
    return BATCH * len(sends)


def lake() -> list[LakeObject]:
    opened = open_lake()
    return [opened.describe(entry) for entry in opened.new_entries(TOPIC, {})]


def landed() -> int:
    return sum(found.messages for found in lake())


def numbers_in_the_lake() -> dict[int, list[int]]:
    """The messages of each partition, in the lake's order."""
    numbers = defaultdict[int, list[int]](list)
    for found in lake():
        lines = gzip.decompress(Path(found.name).read_bytes()).splitlines()
        numbers[found.partition] += [json.loads(line)["number"] for line in lines]
    return numbers


def wait_until_more_is_landed() -> None:
    before = landed()
    wait_until("more is in the lake", lambda: landed() > before)


def wait_until(state: str, is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not is_reached():
        assert time.monotonic() < deadline, f"Not within {WAIT_SECS} s: {state}"
        time.sleep(0.05)
