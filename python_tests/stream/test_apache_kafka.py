"""Apache Kafka itself keeps what it has acknowledged when it is killed."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from python_tests.stream.apache_kafka import ApacheKafka, KafkaUnavailableError

PARTITIONS = 3


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """A broker with a topic ``flyer-events``. CI must have one; elsewhere the test is skipped with the reason."""
    try:
        broker = ApacheKafka(tmp_path / "kafka")
    except KafkaUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with broker:
        client = AdminClient({"bootstrap.servers": broker.bootstrap})
        topic = NewTopic("flyer-events", num_partitions=PARTITIONS, replication_factor=1)
        client.create_topics([topic])["flyer-events"].result()
        yield broker


def test_each_acknowledged_message_is_there_once_after_kills(kafka: ApacheKafka) -> None:
    acknowledged: list[bytes | None] = []

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        acknowledged.append(message.value())

    producer = Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "linger.ms": 1})
    for kill in range(4):
        for number in range(1_000):
            producer.produce("flyer-events", f"{kill}-{number}", key=str(number % 50), on_delivery=note)
        producer.poll(0.01)
        kafka.kill()
        kafka.start()
    assert producer.flush(30) == 0

    assert len(acknowledged) == 4_000
    assert Counter(consumed(kafka)) == Counter(acknowledged)


def consumed(kafka: ApacheKafka) -> list[bytes | None]:
    """The values of all messages of the topic, each partition up to the end that it has now."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "test", "enable.partition.eof": True})
    consumer.assign([TopicPartition("flyer-events", partition, 0) for partition in range(PARTITIONS)])
    values: list[bytes | None] = []
    ended: set[int | None] = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(1_000, timeout=0.1):
            error = message.error()
            if error is None:
                values.append(message.value())
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition())
    consumer.close()
    return values
