"""The embedded broker."""

import signal

import pytest
from confluent_kafka.admin import AdminClient

from flyer_analytics.stream import broker as embedded
from flyer_analytics.stream.broker import Broker, BrokerError


def test_clients_are_sent_to_the_advertised_port() -> None:
    """Something between may forward connections, and cut them."""
    port, advertised_port = embedded.free_port(), embedded.free_port()
    with embedded.broker(port, advertised_port) as broker:
        assert broker.address == f"127.0.0.1:{advertised_port}"
        client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        assert [it.port for it in client.list_topics(timeout=10).brokers.values()] == [advertised_port]


def test_a_port_in_use_is_named(broker: Broker) -> None:
    port = int(broker.address.partition(":")[2])
    with pytest.raises(BrokerError, match=rf"does not start on 127[.]0[.]0[.]1:{port}.*FLYER_KAFKA=host:port"):
        embedded.start(port)


def test_a_platform_without_a_broker_is_told_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(BrokerError, match=r"no embedded broker for this platform.*FLYER_KAFKA=host:port"):
        embedded.start()


def test_a_topic_is_created_once_and_a_stopped_broker_ends() -> None:
    with embedded.broker() as broker:
        broker.create_topic("events", partitions=5)
        broker.create_topic("events")
        topics = AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=10).topics
        assert len(topics["events"].partitions) == 5
        broker.process.send_signal(signal.SIGSTOP)
    assert broker.process.poll() is not None
