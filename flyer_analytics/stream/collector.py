"""The collector takes events by HTTP and writes them to Kafka: ``python -m flyer_analytics.stream.collector --help``.

``POST /events`` takes one event, a JSON object, or an array of them, and answers 202 once Kafka has acknowledged all of
them. Only the shape of events is checked, by contracts/flyer-event.schema.json: staging judges their contents.
``GET /health`` answers while the process works, ``GET /ready`` if Kafka can be reached as well.
"""

import argparse
import asyncio
import hmac
import logging
import math
import os
import signal
import socket
import sys
import threading
import traceback
import zlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

import msgspec
import uvicorn
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flyer_analytics.stream.kafka import SettingError, kafka_config, topic
from flyer_analytics.text import counted

MAX_EVENTS = 1_000  # of a request
MAX_BODY = 1_048_576  # bytes of a request, uncompressed
MAX_EVENT = 65_536  # bytes of an event; brokers take messages of 1 MB by default
MAX_QUEUE = 65_536  # KiB that wait for Kafka
MAX_CONNECTIONS = 1_000
MAX_CLIENTS = 10_000  # whose rates are known
BODY_SECS = 10  # in which a request must have arrived
READY_SECS = 2  # in which Kafka must answer GET /ready
READY_AGE_SECS = 1  # for which its answer is used again
RETRY_SECS = 5  # after which to send again what Kafka did not acknowledge
BURST_SECS = 10  # of its rate that a client may send at once
REPORT_SECS = 60  # between reports in the log

log = logging.getLogger("collector")


class Event(msgspec.Struct):
    """The members of an event that the contract names. All others are kept and forwarded."""

    timestamp: str
    user_id: str | int | float
    event: str
    flyer_id: str | int | float | None = None
    merchant_id: str | int | float | None = None


MEMBERS = frozenset(Event.__struct_fields__)


@dataclass(frozen=True)
class Settings:
    """What can be set. Keys are those of clients; without any, everyone may send."""

    topic: str
    kafka: dict[str, str]
    keys: tuple[bytes, ...]
    rate: float  # events per second and client; 0 is no limit
    ack_secs: float  # in which Kafka must acknowledge


class RefusedError(Exception):
    """The request cannot be accepted. ``answer`` says why, and quotes nothing of what was sent but names of members."""

    def __init__(self, status: int, error: str, path: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        content = {"error": error} if path is None else {"error": error, "path": path}
        self.answer = JSONResponse(content, status, headers)


# ---------- Events


def messages_of(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return key and value of the message of each event in ``body``: its user, and the event as one line of JSON.

    Raises RefusedError with the path of the first thing that the contract does not allow.
    """
    try:
        content = msgspec.json.decode(body)
        events = content if isinstance(content, list) else [content]
        if len(events) > MAX_EVENTS:
            raise RefusedError(413, f"A request has at most {MAX_EVENTS:,} events")
        shapes = msgspec.convert(content, list[Event] | Event)
        values = [msgspec.json.encode(event) for event in events]
    except UnicodeDecodeError:
        raise RefusedError(400, "The body is not UTF-8", "$") from None
    except RecursionError:
        raise RefusedError(400, "The body is nested too deeply", "$") from None
    except msgspec.DecodeError as error:
        problem, _, path = str(error).partition(" - at `")
        kind = "" if isinstance(error, msgspec.ValidationError) else "Not valid JSON: "
        raise RefusedError(400, kind + problem, path.removesuffix("`") or "$") from None
    for number, (event, value) in enumerate(zip(events, values, strict=True)):
        check(event, value, f"$[{number}]" if events is content else "$")
    users = [shape.user_id for shape in (shapes if isinstance(shapes, list) else [shapes])]
    keys = [user.encode() if isinstance(user, str) else msgspec.json.encode(user) for user in users]
    return list(zip(keys, values, strict=True))


def check(event: dict[str, Any], value: bytes, path: str) -> None:
    """Raise RefusedError for what is valid JSON but would not be loaded as it was sent."""
    if len(value) > MAX_EVENT:
        raise RefusedError(413, f"An event has at most {MAX_EVENT:,} bytes", path)
    if b"\\u0000" in value:
        raise RefusedError(400, "Text must not contain the character NUL", path)
    # Loading ignores the case of names, so it could take such a member for the one that it resembles.
    for name in event:
        if name.lower() in MEMBERS and name not in MEMBERS:
            raise RefusedError(400, f"Must be spelled `{name.lower()}`", f"{path}.{name}")


# ---------- Kafka


class Kafka:
    """A producer whose ``send`` returns when Kafka has acknowledged.

    It is not idempotent. Clients send again what was not acknowledged in any case, and identical events count once; and
    after a timeout or a restart of the broker, an idempotent producer may never get another message through.
    """

    def __init__(self, settings: Settings) -> None:
        """Raise KafkaException if a property is invalid. It does not wait for Kafka, which may be away."""
        self.topic = settings.topic
        self.ack_secs = settings.ack_secs
        self.has_failed = False
        self.producer = Producer(
            {
                "client.id": "flyer-collector",
                "linger.ms": 2,
                "partitioner": "murmur2_random",  # as Java's: other producers choose the same partition for a user
                "queue.buffering.max.kbytes": MAX_QUEUE,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,  # problems come through error_cb
                **settings.kafka,
                "acks": "all",
                "allow.auto.create.topics": False,  # it would have the broker's number of partitions
                "message.timeout.ms": int(settings.ack_secs * 1_000),
                "error_cb": self.on_error,
            }
        )
        self.is_open = True
        self.poller = threading.Thread(target=self.poll, daemon=True)
        self.poller.start()

    def poll(self) -> None:
        """Run the callbacks of acknowledgements and errors."""
        try:
            while self.is_open:
                self.producer.poll(0.1)
        except KafkaException as error:  # fatal, as it can be if FLYER_KAFKA_CONFIG makes the producer idempotent
            log.error("Kafka's client cannot go on, so the collector ends: %s", error.args[0].str())
            self.has_failed = True
            signal.raise_signal(signal.SIGTERM)

    def on_error(self, error: KafkaError) -> None:
        log.warning(f"Kafka: {error.name()}: %s", error.str())

    async def send(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Write messages, each a key and a value. Return when Kafka has acknowledged all of them.

        Raises KafkaException or BufferError if it has not. Some may be in Kafka then.
        """
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()
        waiting = len(messages)
        errors: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                errors.append(error)
            if not waiting:
                loop.call_soon_threadsafe(answered.set)

        for key, value in messages:
            self.producer.produce(self.topic, value, key, on_delivery=on_delivery)
        if messages:
            await answered.wait()
        if errors:
            raise KafkaException(errors[0])

    def problem(self) -> str | None:
        """Return why Kafka cannot take events now. It may take READY_SECS to find out."""
        try:
            found = self.producer.list_topics(self.topic, READY_SECS).topics[self.topic]
        except KafkaException as error:
            return f"Kafka does not answer: {error.args[0].name()}"
        return None if found.error is None else f"Topic {self.topic}: {found.error.str()}"

    def close(self) -> None:
        """Wait until each message is acknowledged or has failed."""
        self.is_open = False
        self.poller.join()
        self.producer.flush(self.ack_secs)


# ---------- Clients


class Rates:
    """A token bucket per client, for the clients seen last.

    A client may send while its bucket holds a token, even if its events cost more than it holds: the debt delays the
    next request.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.burst = max(1, rate * BURST_SECS)
        self.buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def tokens(self, client: bytes, now: float) -> float:
        tokens, counted_at = self.buckets.get(client, (self.burst, now))
        return min(self.burst, tokens + (now - counted_at) * self.rate)

    def secs_to_wait(self, client: bytes, now: float) -> float:
        """Return the seconds until the client may send: 0 if it may now."""
        return max(0, 1 - self.tokens(client, now)) / self.rate if self.rate else 0

    def spend(self, client: bytes, events: int, now: float) -> None:
        self.buckets[client] = (self.tokens(client, now) - events, now)
        self.buckets.move_to_end(client)
        if len(self.buckets) > MAX_CLIENTS:
            self.buckets.popitem(last=False)


def client_of(request: Request, keys: Sequence[bytes]) -> bytes:
    """Return the key that the request has, or its address if there are no keys. Raises RefusedError for a wrong key."""
    if not keys:
        return request.client.host.encode() if request.client else b""
    sent = request.headers.get("Authorization", "").encode("latin-1")
    if matching := [key for key in keys if hmac.compare_digest(b"Bearer " + key, sent)]:
        return matching[0]
    raise RefusedError(401, "Send a key: Authorization: Bearer <key>", headers={"WWW-Authenticate": "Bearer"})


# ---------- HTTP


async def body_of(request: Request) -> bytes:
    """Return the body, unpacked. Raises RefusedError for what is too large, too slow, or of another type."""
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if content_type != "application/json":
        raise RefusedError(415, "Send Content-Type: application/json")
    if encoding not in ("identity", "gzip"):
        raise RefusedError(415, "Send Content-Encoding: gzip, or none", headers={"Accept-Encoding": "gzip"})
    gzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECS):
            async for chunk in request.stream():
                body += gzip.decompress(chunk, MAX_BODY + 1 - len(body)) if gzip else chunk
                if len(body) > MAX_BODY:
                    raise RefusedError(413, f"A request has at most {MAX_BODY:,} bytes, uncompressed")
    except TimeoutError:
        raise RefusedError(408, f"A request must arrive within {BODY_SECS} seconds") from None
    except zlib.error:
        raise RefusedError(400, "The body is not gzip") from None
    if gzip and (not gzip.eof or gzip.unused_data):
        raise RefusedError(400, "The body is not one whole gzip stream")
    return bytes(body)


class Collector:
    """The answers to requests, and what they share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.kafka = Kafka(settings)
        self.rates = Rates(settings.rate)
        self.counts: Counter[str] = Counter()  # since the last report
        self.problem: str | None = None  # of Kafka
        self.problem_known_until = 0.0
        self.asking = asyncio.Lock()

    async def accept(self, request: Request) -> int:
        """Return how many events were written. Raises RefusedError."""
        client = client_of(request, self.settings.keys)
        if secs := self.rates.secs_to_wait(client, monotonic()):
            retry = {"Retry-After": str(math.ceil(secs))}
            raise RefusedError(429, f"At most {self.settings.rate:,g} events a second", headers=retry)
        self.rates.spend(client, 1, monotonic())  # also for a request that is refused
        messages = messages_of(await body_of(request))
        self.rates.spend(client, len(messages) - 1, monotonic())
        try:
            await self.kafka.send(messages)
        except (KafkaException, BufferError) as error:
            reason = error.args[0].name() if isinstance(error, KafkaException) else "queue full"
            log.warning(f"Kafka did not acknowledge: {reason}")
            retry = {"Retry-After": str(RETRY_SECS)}
            raise RefusedError(503, "Kafka did not acknowledge. Send the request again", headers=retry) from None
        return len(messages)

    async def post_events(self, request: Request) -> Response:
        try:
            events = await self.accept(request)
            answer = JSONResponse({"accepted": events}, 202)
            self.counts["events"] += events
        except RefusedError as refused:
            answer = refused.answer
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        self.counts[str(answer.status_code)] += 1
        return answer

    async def get_health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def get_ready(self, _: Request) -> Response:
        async with self.asking:  # one thread at most waits for Kafka
            if monotonic() > self.problem_known_until:
                self.problem = await asyncio.to_thread(self.kafka.problem)
                self.problem_known_until = monotonic() + READY_AGE_SECS
        return JSONResponse({"status": self.problem or "ok"}, 503 if self.problem else 200)

    def report(self) -> None:
        """Log how many answers of each status there were."""
        events = self.counts.pop("events", 0)
        if self.counts:
            answers = ", ".join(f"{status}: {number:,}" for status, number in sorted(self.counts.items()))
            log.info(f"{counted(events, 'event')} accepted; answers {answers}")
        self.counts.clear()

    async def report_regularly(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECS)
            self.report()

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        reports = asyncio.create_task(self.report_regularly())
        yield
        reports.cancel()
        self.kafka.close()
        self.report()

    def application(self) -> Starlette:
        routes = [
            Route("/events", self.post_events, methods=["POST"]),
            Route("/health", self.get_health),
            Route("/ready", self.get_ready),
        ]
        return Starlette(routes=routes, lifespan=self.lifespan)


class Server(uvicorn.Server):
    """Says where it listens."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self.settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            keys = len(self.settings.keys)
            senders = f"clients with {'one of ' if keys > 1 else ''}{counted(keys, 'key')}" if keys else "everyone"
            log.info(f"Listening on http://{host}:{port}; {senders} may send; topic {self.settings.topic}")


def server(collector: Collector, host: str, port: int, proxies: str) -> Server:
    """Return the server. When it ends, it answers what has begun and waits for Kafka."""
    config = uvicorn.Config(
        collector.application(),
        host=host,
        port=port,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(collector.settings.ack_secs) + 5,
    )
    return Server(config, collector.settings)


# ---------- Log


class Discreet(logging.Formatter):
    """Shows where an exception was raised, but not its message, which could quote what a client sent."""

    def formatException(  # noqa: N802
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return "".join([*traceback.format_tb(ei[2]), ei[0].__name__ if ei[0] else ""])


class OncePerMinute(logging.Filter):
    """Passes a problem once in REPORT_SECS, with how often it occurred since."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_at: dict[str, float] = {}
        self.held_back: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        problem = record.msg
        if record.created - self.passed_at.get(problem, -math.inf) < REPORT_SECS:
            self.held_back[problem] += 1
            return False
        self.passed_at[problem] = record.created
        if again := self.held_back.pop(problem, 0):
            record.msg = f"{problem} ({again:,} times more since it was last shown)"
        return True


def set_up_log() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Discreet("%(asctime)s %(message)s"))
    handler.addFilter(OncePerMinute())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)


# ---------- Command


def client_keys() -> tuple[bytes, ...]:
    """Return the keys in ``FLYER_COLLECTOR_KEYS``, or in the file that ``FLYER_COLLECTOR_KEYS_FILE`` names.

    Raises SettingError if one of them is set but has no key, since then everyone could send.
    """
    keys, file = os.environ.get("FLYER_COLLECTOR_KEYS"), os.environ.get("FLYER_COLLECTOR_KEYS_FILE")
    if keys is None and file is None:
        return ()
    try:
        listed = keys.split(",") if keys is not None else Path(file or "").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"FLYER_COLLECTOR_KEYS_FILE: cannot read {file}: {error}") from error
    if found := tuple(key.strip().encode() for key in listed if key.strip()):
        return found
    raise SettingError("FLYER_COLLECTOR_KEYS (or _FILE) is set, but has no key. To let everyone send, unset it")


def between(lowest: float, highest: float) -> Callable[[str], float]:
    """Return a type of option: a number in a range."""

    def number(text: str) -> float:
        value = float(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not between {lowest:g} and {highest:g}")
        return value

    return number


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.stream.collector",
        description="Take events by HTTP (POST /events) and write them to Kafka.",
        epilog="""
environment:
  FLYER_KAFKA                 Kafka's bootstrap servers, host:port (default: localhost:9092)
  FLYER_KAFKA_CONFIG          a file of librdkafka's properties, key=value, for TLS and SASL
  FLYER_KAFKA_TOPIC           the topic (default: flyer-events)
  FLYER_COLLECTOR_KEYS        the keys of clients, with commas between them; clients send Authorization: Bearer <key>.
                              Without keys, everyone who can reach the collector may send
  FLYER_COLLECTOR_KEYS_FILE   a file of keys instead, one a line
""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 is a free one (default: %(default)s)")
    parser.add_argument(
        "--rate",
        type=between(0, 1_000_000),
        default=5_000,
        help=f"events a second that a client may send, by its key or address, {BURST_SECS} seconds of them at once; "
        "0 is no limit (default: %(default)s)",
    )
    parser.add_argument(
        "--ack-secs",
        type=between(0.1, 300),
        default=10,
        help="seconds in which Kafka must acknowledge, else the answer is 503 (default: %(default)s)",
    )
    parser.add_argument(
        "--proxies", default="", help="addresses of load balancers whose X-Forwarded-For is believed (default: none)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Return the exit status: 1 if Kafka's client failed for good, 2 if a setting is invalid.
    """
    options = command_line().parse_args(arguments)
    set_up_log()
    try:
        settings = Settings(topic(), kafka_config(), client_keys(), options.rate, options.ack_secs)
        collector = Collector(settings)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except KafkaException as error:
        print(f"A property of Kafka is invalid: {error.args[0].str()}", file=sys.stderr)
        return 2
    # uvicorn raises the signals that it took again when it has ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        server(collector, options.host, options.port, options.proxies).run()
    return 1 if collector.kafka.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
