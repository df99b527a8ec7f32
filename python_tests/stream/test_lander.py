"""The lander loses and doubles nothing, whatever happens to it, to Kafka or to the lake."""

import errno
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from confluent_kafka import Producer
from moto import mock_aws

from flyer_analytics.load import disk
from flyer_analytics.stream import broker as embedded
from flyer_analytics.stream import lander as landers
from flyer_analytics.stream.broker import Broker
from flyer_analytics.stream.kafka import SettingError, kafka_config, silent_logger
from flyer_analytics.stream.lake import Content, Lake, LakeObject, open_lake
from flyer_analytics.stream.lander import Lander, StopError, chosen, main

WAIT_SECS = 30.0
SOON = 0.05
NEVER = 1e9
ANY_PARTITION = -1
EVENT = {
    "timestamp": "2018-10-01T10:00:00Z",
    "user_id": "u",
    "event": "flyer_open",
    "flyer_id": "1",
    "merchant_id": "2",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landers, "FIRST_PAUSE_SECS", SOON)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("FLYER_LAKE", str(tmp_path / "lake"))
    return open_lake()


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_SECS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def send(topic: str, values: Sequence[bytes | None], partition: int = ANY_PARTITION) -> None:
    """Produce messages, by default spread over the partitions."""
    producer = Producer({**kafka_config(), "linger.ms": 5}, logger=silent_logger())
    for value in values:
        producer.produce(topic, value=value, key=value and value[:99], partition=partition)
    assert producer.flush(WAIT_SECS) == 0


def wait_for_error(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Wait until a text is on stderr."""
    said: list[str] = []

    def is_said() -> bool:
        said.append(capsys.readouterr().err)
        return text in "".join(said)

    wait_for(is_said)


def numbered(*numbers: int) -> list[bytes]:
    """Return messages that differ."""
    return [json.dumps({**EVENT, "user_id": f"u{number}"}).encode() for number in range(*numbers)]


@contextmanager
def running(lander: Lander) -> Iterator[threading.Thread]:
    """Run a lander in a thread, and stop it at the end. Raises what the lander raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            lander.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        lander.is_stopping = True
        thread.join(WAIT_SECS)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def new_lander(lake: Lake, topic: str, seconds: float = SOON, **options: Any) -> Lander:
    return Lander(lake, topic, kafka_config(), seconds=seconds, **options)


def program(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flyer_analytics.stream.lander", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def objects(lake: Lake, topic: str) -> list[LakeObject]:
    """Return the objects of a topic, each of which must begin where the one before it ends."""
    found = [lake.describe(entry) for entry in lake.new_entries(topic, {})]
    for before, after in pairwise(found):
        if before.partition == after.partition:
            assert after.first_offset == before.next_offset
    return found


def lines(found: LakeObject) -> list[bytes]:
    """Return the lines of an object in a folder, which its header must count."""
    text = gzip.decompress(Path(found.name).read_bytes())
    assert text.endswith(b"\n")
    assert text.count(b"\n") == found.messages
    return text.removesuffix(b"\n").split(b"\n")


def landed(lake: Lake, topic: str) -> Counter[bytes]:
    return Counter(line for found in objects(lake, topic) for line in lines(found))


def count(lake: Lake, topic: str) -> int:
    return sum(lake.describe(entry).messages for entry in lake.new_entries(topic, {}))


# ---------- nothing lost, nothing doubled
def test_each_message_is_landed_once(lake: Lake, topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    sent = numbered(1000)
    before_ms = time.time_ns() // 10**6
    send(topic, sent)
    with running(new_lander(lake, topic)):
        wait_for(lambda: count(lake, topic) == 1000)
        more = numbered(1000, 1500)
        send(topic, more)
        wait_for(lambda: count(lake, topic) == 1500)
    assert landed(lake, topic) == Counter(sent + more)
    found = objects(lake, topic)
    assert {it.partition for it in found} == {0, 1, 2}
    assert all(before_ms <= it.oldest_ms <= it.newest_ms <= time.time_ns() // 10**6 for it in found)
    assert all(it.topic_id for it in found)
    assert "Landed 1,500 messages in" in capsys.readouterr().out


def test_killed_landers_lose_and_double_nothing(lake: Lake, topic: str, kills: int) -> None:
    """Two landers at a time are killed at some moment after they began to write, while messages keep coming."""
    draw = random.Random(7)
    sent: list[bytes] = []
    for _ in range(kills // 2):
        sent += (new := numbered(len(sent), len(sent) + 4000))
        send(topic, new)
        written = {entry.name for entry in lake.new_entries(topic, {})}
        landers = {share: program("--share", share, "--seconds", "0.01") for share in ("1/2", "2/2")}
        for share, lander in landers.items():
            with lander:
                wait_for(partial(has_new, lake, topic, share, written))
                time.sleep(draw.uniform(0, 0.02))
                lander.kill()
    with running(new_lander(lake, topic)):
        wait_for(lambda: count(lake, topic) >= len(sent))
    assert landed(lake, topic) == Counter(sent)


def has_new(lake: Lake, topic: str, share: str, known: set[str]) -> bool:
    """Return whether the partitions of a share have objects that are not ``known``."""
    is_mine = chosen(None, share)
    return any(is_mine(entry.partition) and entry.name not in known for entry in lake.new_entries(topic, {}))


def test_a_lander_that_slept_while_another_one_went_on_stops(lake: Lake, topic: str) -> None:
    sent = numbered(100)
    send(topic, sent, partition=1)
    asleep = new_lander(lake, topic, NEVER)
    why = r"exists already: another lander writes partition 1 .*Nothing is doubled"
    with pytest.raises(StopError, match=why), running(asleep):
        wait_for(lambda: 1 in asleep.open and asleep.open[1].messages == 100)
        with running(new_lander(lake, topic)):
            wait_for(lambda: count(lake, topic) == 100)
    assert landed(lake, topic) == Counter(sent)


def test_of_two_landers_by_mistake_one_stops(lake: Lake, topic: str) -> None:
    sent: list[bytes] = []
    with program("--seconds", "0.05") as one, program("--seconds", "0.05") as two:
        while one.poll() is None and two.poll() is None:
            sent += (new := numbered(len(sent), len(sent) + 100))
            send(topic, new)
        stopped, left = (two, one) if one.poll() is None else (one, two)
        assert stopped.stdout
        assert "another lander writes partition" in stopped.stdout.read()
        # Unless both of them stopped, each at another partition.
        wait_for(lambda: left.poll() is not None or count(lake, topic) == len(sent))
        left.terminate()
    assert stopped.returncode == 1
    with running(new_lander(lake, topic)):
        wait_for(lambda: count(lake, topic) >= len(sent))
    assert landed(lake, topic) == Counter(sent)


def test_landers_share_the_partitions_and_end_when_they_are_told_to(lake: Lake, topic: str) -> None:
    sent = numbered(300)
    with (
        program("--share", "1/2", "--seconds", "3600") as one,
        program("--partitions", "1", "--seconds", "0.05") as two,
    ):
        assert one.stdout and two.stdout
        assert {one.stdout.readline(), one.stdout.readline()} == {
            f"lander: Partition {partition}: from offset 0\n" for partition in (0, 2)
        }
        assert two.stdout.readline() == "lander: Partition 1: from offset 0\n"
        send(topic, sent)
        wait_for(lambda: lake.partitions(topic) == [1])
        # What the first one has received by now it writes at its end; another one goes on behind it.
        one.terminate()
        two.send_signal(signal.SIGINT)
    assert (one.returncode, two.returncode) == (0, 0)
    with running(new_lander(lake, topic)):
        wait_for(lambda: count(lake, topic) == 300)
    assert landed(lake, topic) == Counter(sent)


@pytest.mark.parametrize(
    ("partitions", "share", "expected"),
    [(None, None, [0, 1, 2, 3, 4]), ("0,3", None, [0, 3]), (None, "1/2", [0, 2, 4]), (None, "2/2", [1, 3])],
)
def test_partitions_are_chosen(partitions: str | None, share: str | None, expected: list[int]) -> None:
    assert [partition for partition in range(5) if chosen(partitions, share)(partition)] == expected


@pytest.mark.parametrize("options", ["--share=0/2", "--share=3/2", "--share=1", "--partitions=a", "--seconds=soon"])
def test_invalid_options_are_refused(options: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([options])


# ---------- messages
def test_every_message_is_a_row_or_a_rejected_line(lake: Lake, topic: str, tmp_path: Path) -> None:
    event = json.dumps(EVENT).encode()
    indented = json.dumps(EVENT, indent=2).encode()
    events = [
        *(event, indented, indented.replace(b"\n", b"\r\n"), indented.replace(b"\n", b"\r"), b"\n\n" + event + b"\n"),
        *(event[:-1] + b',"version":2,"more":{"a":[1]}}', event.replace(b'"u"', '"u\u2028\u2029\x85"'.encode())),
        event.replace(b'"u"', b'"' + b"u" * 900_000 + b'"'),
        event[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"{}",
    ]
    rejected = [
        *(None, b"", b" ", b"\t", b"\n", b"\r\n", b"\0", b"null", b"1", b"hello\nworld", b"[1]", b"[", b"{"),
        *(b"\xef\xbb\xbf", b"\xef\xbb\xbf" + event, json.dumps(EVENT).encode("utf-16"), b"\xff", b"x" * 900_000),
        *(event.replace(b'"u"', b'"\xff"'), event.replace(b'"u"', b'"\0"'), event.replace(b'"u"', b'"\\u0000"')),
        *(event[:40], event + event, event.replace(b'"u"', b'"\x1c\x1d\x1e\x1f"'), b'{"a":' * 100_000),
    ]
    by_partition: list[list[bytes | None]] = [
        [*rejected, *events, *rejected],
        # What would count for a whole file if it stood at its beginning.
        [b"[1]", event],
        [b"\xef\xbb\xbf" + event, event],
    ]
    for partition, messages in enumerate(by_partition):
        send(topic, messages, partition)
    lander = new_lander(lake, topic, NEVER)
    with running(lander):
        wait_for(
            lambda: [batch.messages for batch in lander.open.values()] == [len(messages) for messages in by_partition]
        )
    outcome = disk.load(str(tmp_path / "lake"), tmp_path / "flyer.duckdb", lambda _: None)
    assert outcome.problems == []
    assert (outcome.rows, outcome.rejected) == (len(events) + 2, 2 * len(rejected) + 2)
    assert {it.reason for it in outcome.rejections} == {"not_a_json_object", "nul_byte", "invalid_utf8"}


def test_offsets_may_have_gaps(lake: Lake, topic: str) -> None:
    """Compaction and the marks of transactions leave some."""
    lander = new_lander(lake, topic, NEVER)
    lander.begin(0)
    for offset in (5, 9, 9, 7, 12):
        lander.take(message(offset))
    lander.is_stopping = True
    lander.run()
    (found,) = objects(lake, topic)
    assert (found.first_offset, found.last_offset, lines(found)) == (0, 12, [b"{5}", b"{9}", b"{12}"])


def message(offset: int, timestamp: tuple[int, int] = (1, 0)) -> Any:
    return SimpleNamespace(
        partition=lambda: 0,
        offset=lambda: offset,
        error=lambda: None,
        timestamp=lambda: timestamp,
        value=lambda: b"{%d}" % offset,
    )


def test_times_are_kept_whatever_the_clocks_say(lake: Lake, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of producers may be absurd; this machine's may jump, which does not delay an object."""
    lander = new_lander(lake, topic, SOON)
    lander.begin(0)
    lander.take(message(0, (1, -5)))
    lander.take(message(1, (1, 2**62)))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with running(lander):
        wait_for(lambda: count(lake, topic) == 2)
    (found,) = objects(lake, topic)
    assert (found.oldest.year, found.newest.year) == (1970, 9999)


def test_a_lander_that_is_behind_writes_objects_of_bounded_size(
    lake: Lake, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landers, "OBJECT_BYTES", 20_000)
    sent = numbered(2000)
    send(topic, sent, partition=0)
    lander = new_lander(lake, topic, NEVER)
    with running(lander):
        wait_for(lambda: count(lake, topic) > 1500)
    sizes = [sum(len(line) + 1 for line in lines(found)) for found in objects(lake, topic)]
    assert all(20_000 <= size < 20_200 for size in sizes[:-1])
    monkeypatch.setattr(landers, "MEMORY_BYTES", 9_000)  # of three partitions
    send(topic, sent, partition=0)
    with running(new_lander(lake, topic, NEVER)):
        wait_for(lambda: count(lake, topic) > 3500)
    assert sum(len(line) + 1 for line in lines(objects(lake, topic)[-2])) < 3_200


# ---------- Kafka
def test_a_broker_that_is_away_at_the_start_is_waited_for(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = embedded.free_port()
    monkeypatch.setenv("FLYER_KAFKA", f"127.0.0.1:{port}")
    with running(new_lander(lake, "late")):
        wait_for_error(capsys, "Connection refused")
        with embedded.broker(port) as broker:
            broker.create_topic("late")
            send("late", numbered(10))
            wait_for(lambda: count(lake, "late") == 10)


def test_a_stopped_broker_is_waited_for(lake: Lake, topic: str, broker: Broker) -> None:
    with running(new_lander(lake, topic)):
        send(topic, numbered(10))
        wait_for(lambda: count(lake, topic) == 10)
        broker.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        broker.process.send_signal(signal.SIGCONT)
        send(topic, numbered(10, 20))
        wait_for(lambda: count(lake, topic) == 20)


def test_trouble_is_said_now_and_then(lake: Lake, topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    lander = new_lander(lake, topic)
    for _ in range(3):
        lander.say_trouble("one")
        lander.say_trouble("another")
        lander.say_trouble("detail 1", kind=5)
        lander.say_trouble("detail 2", kind=5)
    assert capsys.readouterr().err == "lander: one\nlander: another\nlander: detail 1\n"
    lander.said["one"] -= landers.REPEAT_SECS
    lander.say_trouble("one")
    assert capsys.readouterr().err == "lander: one\n"


def test_partitions_that_are_added_are_landed(lake: Lake, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landers, "DESCRIBE_SECS", 0.1)
    lander = new_lander(lake, topic)
    admin, lander.admin = lander.admin, described_as(0)
    send(topic, numbered(30))
    with running(lander):
        wait_for(lambda: lake.partitions(topic) == [0])
        lander.admin = admin
        wait_for(lambda: count(lake, topic) == 30)


def described_as(*partitions: int) -> Any:
    """Return an admin client that answers with these partitions, and no topic id."""
    description = SimpleNamespace(partitions=[SimpleNamespace(id=it) for it in partitions], topic_id=None)

    def describe_topics(topics: Any, **_: Any) -> dict[str, Future[Any]]:
        answer: Future[Any] = Future()
        answer.set_result(description)
        return dict.fromkeys(topics.topic_names, answer)

    return SimpleNamespace(describe_topics=describe_topics)


def test_a_topic_that_was_created_again_stops_the_lander(lake: Lake, topic: str) -> None:
    lake.create(topic, 1, 0, Content(41, 0, 0, 42, "another-id").packed(b"{}\n"))
    with pytest.raises(StopError, match=r"deleted and created again: its id was another-id and is .*FLYER_LAKE"):
        new_lander(lake, topic).run()


@pytest.fixture
def short_topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Create a topic that has lost its first messages: librdkafka's mock broker keeps 5 MB of a partition."""
    producer = Producer({"test.mock.num.brokers": 1}, logger=silent_logger())
    (mock,) = producer.list_topics(timeout=WAIT_SECS).brokers.values()
    monkeypatch.setenv("FLYER_KAFKA", f"{mock.host}:{mock.port}")
    for number in range(800):
        producer.produce("short", value=b"{%d}%s" % (number, b" " * 9_990), partition=0)
    assert producer.flush(WAIT_SECS) == 0
    yield "short"


def test_messages_that_kafka_deleted_too_early_are_counted_aloud(
    lake: Lake, short_topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.create(short_topic, 0, 0, Content(9, 0, 0, 10, None).packed(b"{}\n" * 10))
    lander = new_lander(lake, short_topic)
    lander.admin = described_as(0)
    with running(lander):
        wait_for(lambda: (last := lake.last(short_topic, 0)) and last.last_offset == 799)
    first, *others = objects(lake, short_topic)
    assert (first.last_offset, others[0].first_offset) == (9, 10)
    kept = [line for found in others for line in lines(found)]
    assert kept == [b"{%d}" % number for number in range(800 - len(kept), 800)]
    gone = 800 - len(kept) - 10
    assert f"LOST: offsets 10 to {gone + 9} of partition 0" in (said := capsys.readouterr().err)
    assert f"{gone} messages at most" in said


def test_a_topic_that_is_shorter_than_the_lake_stops_the_lander(lake: Lake, short_topic: str) -> None:
    lake.create(short_topic, 0, 0, Content(799, 0, 0, 800, None).packed(b"{}\n"))
    lake.create(short_topic, 0, 800, Content(800, 0, 0, 1, None).packed(b"{}\n"))
    lander = new_lander(lake, short_topic)
    lander.admin = described_as(0)
    with pytest.raises(StopError, match="Partition 0 of topic short ends at offset 800, before offset 801 of the lake"):
        lander.run()


# ---------- the lake
def test_a_full_disk_is_waited_for(
    lake: Lake, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts = 0

    def full(_: int) -> None:
        nonlocal attempts
        attempts += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sent = numbered(100)
    send(topic, sent)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        why = r"No space left on device. What was not written is read from Kafka"
        with pytest.raises(StopError, match=why), running(new_lander(lake, topic)):
            wait_for(lambda: attempts)
    assert landed(lake, topic) == Counter()
    monkeypatch.setattr(os, "fsync", fails_once(os.fsync))
    with running(new_lander(lake, topic)):
        wait_for(lambda: count(lake, topic) == 100)
    assert landed(lake, topic) == Counter(sent)
    assert "No space left on device. Tries again" in capsys.readouterr().err


def fails_once(function: Callable[[int], None]) -> Callable[[int], None]:
    failed = False

    def wrapper(argument: int) -> None:
        nonlocal failed
        if not failed:
            failed = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        function(argument)

    return wrapper


def test_a_bucket_that_refuses_is_waited_for(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        lake = open_lake("s3://flyers/lake")
        with running(new_lander(lake, topic)):
            send(topic, numbered(100))
            wait_for_error(capsys, "NoSuchBucket")
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="flyers")
            wait_for(lambda: count(lake, topic) == 100)
        objects(lake, topic)


# ---------- settings
def test_settings_are_read_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    properties = tmp_path / "kafka.properties"
    monkeypatch.setenv("FLYER_KAFKA_CONFIG", str(properties))
    monkeypatch.delenv("FLYER_KAFKA", raising=False)
    with pytest.raises(SettingError, match=r"FLYER_KAFKA_CONFIG: .*kafka[.]properties cannot be read"):
        kafka_config()
    properties.write_text("# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n")
    assert kafka_config() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "SASL_SSL",
        "sasl.password": "a=b",
    }
    monkeypatch.setenv("FLYER_KAFKA", "broker:9093")
    assert kafka_config()["bootstrap.servers"] == "broker:9093"
    properties.write_text("one=1\nsecret\n")
    with pytest.raises(SettingError, match=r"line 2 of .*kafka[.]properties is not key=value$"):
        kafka_config()
    properties.write_text("no.such.property=1\n")
    monkeypatch.setenv("FLYER_LAKE", str(tmp_path))
    assert main([]) == 2
