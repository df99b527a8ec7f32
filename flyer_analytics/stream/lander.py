"""From Kafka to the lake: ``python -m flyer_analytics.stream.lander``.

The lake is the only checkpoint. Each partition goes on behind its last object, so a lander can be killed at any moment:
no offsets are committed to Kafka.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._topic import TopicDescription

from flyer_analytics.stream.kafka import SettingError, kafka_config, silent_logger, topic
from flyer_analytics.stream.lake import LATEST_MS, Content, Lake, LakeError, TakenError, open_lake
from flyer_analytics.text import counted

SECONDS = 2.0
OBJECT_BYTES = 2**24  # of lines, at most
MEMORY_BYTES = 2**26  # of lines of all partitions, at most
POLL_SECS = 0.1
POLL_MESSAGES = 200  # few, since each can have a megabyte
REQUEST_SECS = 10.0
DESCRIBE_SECS = 30.0  # how often new partitions are looked for
REPORT_SECS = 10.0
REPEAT_SECS = 30.0  # how often the same trouble is said
FIRST_PAUSE_SECS = 1.0  # before the lake is tried again; doubled each time
LONGEST_PAUSE_SECS = 30.0

DEFAULTS = {
    "group.id": "flyer-lander",  # a consumer must have one, even if it belongs to no group
    "queued.max.messages.kbytes": "16384",
    "fetch.queue.backoff.ms": "50",
}
REQUIRED = {"enable.auto.commit": "false", "auto.offset.reset": "error"}

Result = TypeVar("Result")


class StopError(Exception):
    """The lander cannot go on. The message says why and what to do."""


class Open:
    """The messages of a partition that are not in the lake yet: the next object."""

    def __init__(self, partition: int, first_offset: int, topic_id: str | None) -> None:
        self.partition = partition
        self.topic_id = topic_id
        self.begin(first_offset)

    def begin(self, first_offset: int) -> None:
        self.first_offset = first_offset
        self.next_offset = first_offset
        self.lines = bytearray()
        self.messages = 0
        self.oldest_ms = LATEST_MS
        self.newest_ms = 0
        self.since = 0.0
        """When the first message was added, by the monotonic clock, since others can jump."""

    def add(self, offset: int, timestamp_ms: int, value: bytes | None) -> None:
        if not self.messages:
            self.since = time.monotonic()
        self.lines += line_of(value)
        self.lines += b"\n"
        self.messages += 1
        self.next_offset = offset + 1
        self.oldest_ms = min(self.oldest_ms, timestamp_ms)
        self.newest_ms = max(self.newest_ms, timestamp_ms)

    def packed(self) -> bytes:
        content = Content(self.next_offset - 1, self.oldest_ms, self.newest_ms, self.messages, self.topic_id)
        return content.packed(self.lines)


def line_of(value: bytes | None) -> bytes:
    """Return a message as one line, which loading takes for an event or rejects with a reason.

    Within JSON, line breaks are white space. What is not an object becomes a JSON string, or null if there is no value,
    since loading would skip blank lines and take `[` for the beginning of a whole file.
    """
    text = (value or b"").replace(b"\n", b" ").replace(b"\r", b" ").strip()
    if text.startswith(b"{"):
        return text
    return json.dumps(None if value is None else value.decode(errors="backslashreplace")).encode()


class Lander:
    """Lands the partitions of ``topic_name`` for which ``is_mine`` is true."""

    def __init__(
        self,
        lake: Lake,
        topic_name: str,
        config: dict[str, str],
        is_mine: Callable[[int], bool] = lambda _: True,
        seconds: float = SECONDS,
    ) -> None:
        self.lake = lake
        self.topic = topic_name
        self.servers = config["bootstrap.servers"]
        self.is_mine = is_mine
        self.seconds = seconds
        self.is_stopping = False
        self.open: dict[int, Open] = {}
        self.topic_id: str | None = None
        self.request: Future[TopicDescription] | None = None
        self.request_at = time.monotonic()
        self.said: dict[object, float] = {}
        self.report = Report()
        self.admin = AdminClient({**config}, logger=silent_logger())
        settings = {**DEFAULTS, **config, **REQUIRED, "error_cb": self.heed_error}
        self.consumer = Consumer(settings, logger=silent_logger())

    def run(self) -> None:
        """Land messages until `is_stopping`, then write the rest. Raises StopError if that is not possible."""
        try:
            while not self.is_stopping:
                self.look_for_partitions()
                for message in self.consumer.consume(POLL_MESSAGES, POLL_SECS):
                    self.take(message)
                self.write_old()
                self.report.say_when_due()
            for batch in self.open.values():
                self.write(batch)
        finally:
            self.consumer.close()
            self.report.say()

    # ---------- partitions
    def look_for_partitions(self) -> None:
        """Ask Kafka for the topic's partitions now and then, without waiting for the answer."""
        if self.request is None and time.monotonic() >= self.request_at:
            topics = TopicCollection([self.topic])
            self.request = self.admin.describe_topics(topics, request_timeout=REQUEST_SECS)[self.topic]
        if self.request is None or not self.request.done():
            return
        answer, self.request = self.request, None
        try:
            description = answer.result()
        except KafkaException as error:
            self.request_at = time.monotonic() + 1
            self.say_trouble(f"Topic {self.topic} at {self.servers}: {error.args[0].str()}")
            return
        self.request_at = time.monotonic() + DESCRIBE_SECS
        self.require_same_topic(id_of(description), self.topic_id)
        self.topic_id = id_of(description)
        for partition in sorted(found.id for found in description.partitions):
            if self.is_mine(partition) and partition not in self.open:
                self.begin(partition)
        if not self.open:
            self.say_trouble(
                f"Topic {self.topic} has {counted(len(description.partitions), 'partition')}, none of them mine"
            )

    def begin(self, partition: int) -> None:
        """Go on with a partition behind its last object."""
        last = self.patiently(lambda: self.lake.last(self.topic, partition))
        if last:
            self.require_same_topic(self.topic_id, last.topic_id)
        first_offset = last.next_offset if last else 0
        self.open[partition] = Open(partition, first_offset, self.topic_id)
        self.consume_from(partition, first_offset if last else OFFSET_BEGINNING)
        say(f"Partition {partition}: from offset {first_offset}" + (f", behind {last.name}" if last else ""))

    def require_same_topic(self, now: str | None, before: str | None) -> None:
        """Raise StopError if the topic was deleted and created again."""
        if now and before and now != before:
            raise StopError(
                f"Topic {self.topic} was deleted and created again: its id was {before} and is {now}, so its offsets do"
                " not continue those of the lake. Name another FLYER_LAKE or FLYER_KAFKA_TOPIC"
            )

    def consume_from(self, partition: int, offset: int) -> None:
        place = TopicPartition(self.topic, partition, offset)
        if place in self.consumer.assignment():
            self.consumer.incremental_unassign([place])
        self.consumer.incremental_assign([place])

    # ---------- messages
    def take(self, message: Message) -> None:
        partition, offset, error = message.partition(), message.offset(), message.error()
        batch = None if partition is None else self.open.get(partition)
        if error:
            if batch and error.code() == KafkaError._AUTO_OFFSET_RESET:
                self.find_offset(batch)
            else:
                self.heed_error(error)
            return
        if batch is None or offset is None or offset < batch.next_offset:
            return
        kind, timestamp_ms = message.timestamp()
        if kind == TIMESTAMP_NOT_AVAILABLE:
            timestamp_ms = time.time_ns() // 10**6
        batch.add(offset, min(max(timestamp_ms, 0), LATEST_MS), message.value())
        if len(batch.lines) >= min(OBJECT_BYTES, MEMORY_BYTES // len(self.open)):
            self.write(batch)

    def find_offset(self, batch: Open) -> None:
        """Go on where the partition begins now, if that is behind the next offset.

        Raises StopError if the partition ends before the next offset.
        """
        place, wanted = TopicPartition(self.topic, batch.partition), batch.next_offset
        offset = wanted
        try:
            first, end = self.consumer.get_watermark_offsets(place, timeout=REQUEST_SECS)
        except KafkaException as error:  # asked again when the offset is refused again
            self.heed_error(error.args[0])
        else:
            if end < wanted:
                raise StopError(
                    f"Partition {batch.partition} of topic {self.topic} ends at offset {end}, before offset {wanted} of"
                    " the lake: the topic was created again, or has lost messages. Name another FLYER_LAKE or"
                    " FLYER_KAFKA_TOPIC"
                )
            if wanted < first:
                say(
                    f"LOST: offsets {wanted} to {first - 1} of partition {batch.partition} of topic {self.topic} were"
                    f" deleted in Kafka before they were landed, {counted(first - wanted, 'message')} at most."
                    " Does the topic's retention span the longest outage?",
                    is_problem=True,
                )
                offset = first
        self.consume_from(batch.partition, offset)

    # ---------- objects
    def write_old(self) -> None:
        for batch in self.open.values():
            if batch.messages and time.monotonic() - batch.since >= self.seconds:
                self.write(batch)

    def write(self, batch: Open) -> None:
        """Write the next object of a partition. Raises StopError if another lander wrote it."""
        if not batch.messages:
            return
        content = batch.packed()
        try:
            self.patiently(lambda: self.lake.create(self.topic, batch.partition, batch.first_offset, content))
        except TakenError as error:
            raise StopError(
                f"{error}: another lander writes partition {batch.partition} of topic {self.topic}. Nothing is doubled."
                " Stop one of them, or give each its share: --share 1/2 and --share 2/2"
            ) from None
        self.report.add(batch, len(content))
        batch.begin(batch.next_offset)

    def patiently(self, action: Callable[[], Result]) -> Result:
        """Repeat what fails with LakeError until it succeeds. Meanwhile Kafka keeps the messages.

        Raises StopError if it fails while the lander is to stop.
        """
        pause_secs = FIRST_PAUSE_SECS
        while True:
            try:
                return action()
            except LakeError as error:
                if self.is_stopping:
                    raise StopError(f"{error}. What was not written is read from Kafka at the next start") from None
                self.say_trouble(f"{error}. Tries again; until then nothing is landed")
            end = time.monotonic() + pause_secs
            while not self.is_stopping and time.monotonic() < end:
                time.sleep(0.1)
            pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)

    # ---------- what is said
    def heed_error(self, error: KafkaError) -> None:
        """Say what is wrong with Kafka. The consumer tries again by itself."""
        self.say_trouble(f"Kafka at {self.servers}: {error.str()}", kind=error.code())

    def say_trouble(self, text: str, kind: object = None) -> None:
        """Say what is wrong, but only now and then while it lasts: the same text, or another one of the same kind."""
        now = time.monotonic()
        if now - self.said.get(kind or text, -REPEAT_SECS) >= REPEAT_SECS:
            self.said[kind or text] = now
            say(text, is_problem=True)


class Report:
    """What was landed since the last line that said so."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.since = time.monotonic()
        self.objects = self.messages = self.size = self.newest_ms = 0

    def add(self, batch: Open, size: int) -> None:
        self.objects += 1
        self.messages += batch.messages
        self.size += size
        self.newest_ms = max(self.newest_ms, batch.newest_ms)

    def say_when_due(self) -> None:
        if time.monotonic() - self.since >= REPORT_SECS:
            self.say()

    def say(self) -> None:
        """Say how much was landed, and how old the newest message is: how far the lander is behind in a busy stream."""
        if self.objects:
            age_secs = max(time.time() - self.newest_ms / 1000, 0)
            say(
                f"Landed {counted(self.messages, 'message')} in {counted(self.objects, 'object')},"
                f" {self.size / 1e6:,.1f} MB; the newest message is {age_secs:,.1f} s old"
            )
        self.begin()


def id_of(description: TopicDescription) -> str | None:
    """Return a topic's id as Kafka's own commands show it. Brokers without ids have none, or one of zeros."""
    found = str(description.topic_id or "").replace("/", "_").replace("+", "-")
    return found if found.strip("A") else None


def say(line: str, is_problem: bool = False) -> None:
    """Print a line at once, problems to stderr. A stream that nobody reads any more does not stop the lander."""
    stream = sys.stderr if is_problem else sys.stdout
    try:
        print(f"lander: {line}", file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def chosen(partitions: str | None, share: str | None) -> Callable[[int], bool]:
    """Return whether a partition is named by the options. Raises ValueError if they are invalid."""
    if partitions:
        numbers = {int(number) for number in partitions.split(",")}
        return numbers.__contains__
    if share:
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", share)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(share)
        part, parts = int(found[1]), int(found[2])
        return lambda partition: partition % parts == part - 1
    return lambda _: True


def main(arguments: Sequence[str] | None = None) -> int:
    """Land messages until SIGTERM or Ctrl-C. Returns the exit status: 1 if the lander cannot go on."""
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.stream.lander",
        description="Write the messages of topic FLYER_KAFKA_TOPIC at FLYER_KAFKA to the lake FLYER_LAKE.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--partitions", help="which partitions to land, such as 0,1 (default: all)")
    which.add_argument("--share", help="which part of the partitions to land, such as 1/2 for the first of two landers")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="age at which messages are written (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        is_mine = chosen(options.partitions, options.share)
    except ValueError:
        parser.error("--partitions must be numbers such as 0,1 and --share a part such as 1/2")
    try:
        lander = Lander(open_lake(), topic(), kafka_config(), is_mine, options.seconds)
    except SettingError as error:
        say(str(error), is_problem=True)
        return 2
    except KafkaException as error:
        say(f"FLYER_KAFKA_CONFIG: {error.args[0].str()}", is_problem=True)
        return 2

    def stop(*_: object) -> None:
        lander.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        lander.run()
    except StopError as error:
        say(f"Stopped: {error}", is_problem=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
