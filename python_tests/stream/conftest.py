"""A broker for all tests of one process, and a new topic for each test."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from flyer_analytics.stream import broker as embedded
from flyer_analytics.stream.broker import Broker
from python_tests.stream.apache_kafka import ApacheKafka, KafkaUnavailableError


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with embedded.broker() as started:
        yield started


@pytest.fixture
def topic(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> str:
    """Create a topic of 3 partitions, and set the environment variables that lead to it. Returns its name."""
    name = f"flyer-events-{uuid4().hex[:8]}"
    broker.create_topic(name)
    monkeypatch.setenv("FLYER_KAFKA", broker.address)
    monkeypatch.setenv("FLYER_KAFKA_TOPIC", name)
    return name


@pytest.fixture
def apache_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """Run Apache Kafka. CI must have it; elsewhere the test says why it does not run."""
    try:
        broker = ApacheKafka(tmp_path / "kafka")
    except KafkaUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with broker:
        yield broker
