"""The collector: what it accepts, what it answers, and what it keeps to when parts of the pipeline stop."""

import asyncio
import gzip
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from flyer_analytics.stream import broker as embedded
from flyer_analytics.stream import collector
from flyer_analytics.stream.broker import Broker, free_port
from flyer_analytics.stream.collector import Collector, Discreet, OncePerMinute, Rates, RefusedError, Settings

EVENT = {"timestamp": "2018-10-01T13:54:59-04:00", "user_id": "u1", "event": "flyer_open", "flyer_id": 7, "x": [1.5]}
JSON = {"Content-Type": "application/json"}
WAIT_SECS = 20


def events(count: int, **members: object) -> list[dict[str, object]]:
    return [{**EVENT, "user_id": f"u{number}", **members} for number in range(count)]


@pytest.fixture
def settings(broker: Broker, topic: str) -> Settings:
    return Settings(topic, {"bootstrap.servers": broker.address}, keys=(), rate=0, ack_secs=WAIT_SECS)


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """Run the collector in a thread."""
    server = collector.server(Collector(settings), "127.0.0.1", 0, "")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        host, port = server.servers[0].sockets[0].getsockname()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=WAIT_SECS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def messages(broker: Broker, topic: str) -> list[tuple[int, bytes, bytes]]:
    """Return partition, key and value of all messages of the topic."""
    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": "test", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    found = []
    ends = 0
    while ends < 3:
        message = consumer.poll(WAIT_SECS)
        assert message is not None
        if error := message.error():
            assert error.code() == KafkaError._PARTITION_EOF, error
            ends += 1
        else:
            found.append((message.partition() or 0, message.key() or b"", message.value() or b""))
    consumer.close()
    return found


def users(broker: Broker, topic: str) -> list[str]:
    return [json.loads(value)["user_id"] for _, _, value in messages(broker, topic)]


# ---------- What is accepted


def test_an_event_becomes_one_line_of_json_under_its_user(client: httpx.Client, broker: Broker, topic: str) -> None:
    answer = client.post("/events", content=json.dumps(EVENT, indent=2), headers=JSON)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    [(_, key, value)] = messages(broker, topic)
    assert (key, value) == (b"u1", json.dumps(EVENT, separators=(",", ":")).encode())


def test_a_batch_is_accepted_whole_and_a_user_has_one_partition(
    client: httpx.Client, broker: Broker, topic: str
) -> None:
    sent = events(300) * 2
    answer = client.post("/events", json=sent)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 600})
    found = messages(broker, topic)
    assert sorted(key.decode() for _, key, _ in found) == sorted(str(event["user_id"]) for event in sent)
    partitions = {(key, partition) for partition, key, _ in found}
    assert len(partitions) == 300
    assert {partition for _, partition in partitions} == {0, 1, 2}


def test_nothing_of_a_batch_with_a_bad_event_is_written(client: httpx.Client, broker: Broker, topic: str) -> None:
    bad = {**EVENT, "user_id": None}
    answer = client.post("/events", json=[*events(3), bad, *events(3)])
    assert answer.status_code == 400
    assert answer.json() == {"error": "Expected `int | float | str`, got `null`", "path": "$[3].user_id"}
    assert client.post("/events", json=[]).json() == {"accepted": 0}
    assert messages(broker, topic) == []


def body(members: str, **replaced: str) -> bytes:
    event = {"timestamp": '"2018-10-01T13:54:59Z"', "user_id": '"u"', "event": '"item_open"', **replaced}
    return (
        "{" + ",".join([f'"{name}":{value}' for name, value in event.items()] + [members] * bool(members)) + "}"
    ).encode()


@pytest.mark.parametrize(
    ("sent", "value", "key"),
    [
        (body('"flyer_id":null,"merchant_id":12'), None, b"u"),
        (body("", user_id="31"), None, b"31"),
        (body("", user_id="31.0"), None, b"31.0"),
        (body("", user_id='"Zoë \\u00e9\\ud83d\\ude00"'), body("", user_id='"Zoë é😀"'), "Zoë é😀".encode()),
        (body('"x":123456789012345678901234567890'), None, b"u"),
        (body('"x":{"deep":[[[{}]]],"NaN":"NaN"},"":""'), None, b"u"),
        (body('"x": "two\\nlines", \n\t "y" : true'), body('"x":"two\\nlines","y":true'), b"u"),
        (body('"x":1,"x":2'), body('"x":2'), b"u"),  # the last one counts, as in JavaScript
        (body('"user_id":"v"'), body("", user_id='"v"'), b"v"),
        (body('"_source_file":"x","User-ID":1'), None, b"u"),
        (body(f'"x":{"[" * 200}{"]" * 200}'), None, b"u"),
    ],
)
def test_members_are_forwarded_as_they_came(sent: bytes, value: bytes | None, key: bytes) -> None:
    assert collector.messages_of(sent) == [(key, sent if value is None else value)]


@pytest.mark.parametrize(
    ("sent", "status", "error", "path"),
    [
        (b"", 400, "Not valid JSON: ", "$"),
        (b"\xef\xbb\xbf" + body(""), 400, "Not valid JSON: ", "$"),
        (body("").decode().encode("utf-16"), 400, "Not valid JSON: ", "$"),
        (body("") * 2, 400, "Not valid JSON: ", "$"),
        (body('"x":NaN'), 400, "Not valid JSON: ", "$"),
        (body('"x":"\xff"').decode().encode("latin-1"), 400, "The body is not UTF-8", "$"),
        (body('"x":"\\ud800"'), 400, "Not valid JSON: ", "$"),
        (body('"x":"\\ud800 no"'), 400, "Not valid JSON: ", "$"),
        (body('"x":1e999'), 400, "Number out of range", "$[...]"),
        (body(f'"x":{"9" * 5000}'), 400, "Integer value out of range", "$[...]"),
        (b"[" * 100_000, 400, "The body is nested too deeply", "$"),
        (b"7", 400, "Expected `object | array`, got `int`", "$"),
        (b'{"user_id":"u","event":"e"}', 400, "Object missing required field `timestamp`", "$"),
        (b"[%b,7]" % body(""), 400, "Expected `object`, got `int`", "$[1]"),
        (b"[%b,[]]" % body(""), 400, "Expected `object`, got `array`", "$[1]"),
        (body("", timestamp="1538416499"), 400, "Expected `str`, got `int`", "$.timestamp"),
        (body("", user_id="true"), 400, "Expected `int | float | str`, got `bool`", "$.user_id"),
        (body("", event="null"), 400, "Expected `str`, got `null`", "$.event"),
        (body('"flyer_id":[1]'), 400, "Expected `int | float | str | null`, got `array`", "$.flyer_id"),
        (b"[%b,%b]" % (body(""), body('"x":["\\u0000"]')), 400, "Text must not contain the character NUL", "$[1]"),
        (body('"USER_ID":"v"'), 400, "Must be spelled `user_id`", "$.USER_ID"),
        (b"[%b,%b]" % (body(""), body(f'"x":"{"x" * 65_536}"')), 413, "An event has at most 65,536 bytes", "$[1]"),
        (b"[%b]" % b",".join([body("")] * 1001), 413, "A request has at most 1,000 events", None),
    ],
)  # fmt: skip
def test_a_refusal_names_the_path_and_quotes_nothing(sent: bytes, status: int, error: str, path: str | None) -> None:
    with pytest.raises(RefusedError) as refused:
        collector.messages_of(sent)
    assert refused.value.answer.status_code == status
    content = json.loads(bytes(refused.value.answer.body))
    assert content["error"].startswith(error)
    assert content.get("path") == path


# ---------- What is answered


def test_packed_requests(client: httpx.Client, broker: Broker, topic: str) -> None:
    packed = gzip.compress(json.dumps(events(100)).encode())

    def status(content: bytes, encoding: str = "gzip") -> int:
        return client.post("/events", content=content, headers={**JSON, "Content-Encoding": encoding}).status_code

    assert status(packed) == 202
    assert status(packed[:-1]) == status(packed + b"x") == status(b"x" + packed) == status(b"") == 400
    assert status(packed, "br") == status(packed, "gzip, gzip") == 415
    assert len(messages(broker, topic)) == 100


def test_other_requests_are_refused(client: httpx.Client) -> None:
    content = json.dumps(EVENT)
    assert client.post("/events", content=content).status_code == 415
    assert client.post("/events", content=content, headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.get("/events").status_code == client.put("/events").status_code == 405
    assert client.post("/", json=EVENT).status_code == 404
    utf8 = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/events", content=content, headers=utf8).status_code == 202


def test_a_large_body_is_refused_while_it_is_read(settings: Settings) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 65_536
        return {"type": "http.request", "body": bytes(65_536), "more_body": True}

    assert status_of(settings, receive) == 413
    assert read == 1_048_576 + 65_536


def test_a_packed_body_is_not_unpacked_beyond_the_limit(settings: Settings) -> None:
    packed = gzip.compress(bytes(100_000_000))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": packed, "more_body": False}

    tracemalloc.start()
    try:
        assert status_of(settings, receive, (b"content-encoding", b"gzip")) == 413
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_slow_body_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "BODY_SECS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(WAIT_SECS)
        raise AssertionError

    assert status_of(settings, receive) == 408


def test_a_client_that_leaves_is_no_error(settings: Settings) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert status_of(settings, receive) == 400


def status_of(
    settings: Settings, receive: Callable[[], Awaitable[dict[str, Any]]], *headers: tuple[bytes, bytes]
) -> int:
    """Return the status of the answer to a request of which ``receive`` returns one part after the other."""
    all_headers = [(b"content-type", b"application/json"), *headers]
    scope = {"type": "http", "method": "POST", "path": "/events", "headers": all_headers, "query_string": b""}
    sent = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    answering = Collector(settings)
    asyncio.run(answering.application()(scope, receive, send))
    answering.kafka.close()
    return int(sent[0]["status"])


def test_clients_need_one_of_the_keys(settings: Settings, broker: Broker, topic: str) -> None:
    with serving(replace(settings, keys=(b"first", "zweiter ö".encode()))) as client:

        def status(authorization: str | None) -> int:
            headers: dict[bytes, bytes] = {} if authorization is None else {b"Authorization": authorization.encode()}
            return client.post("/events", json=EVENT, headers=headers).status_code

        assert status("Bearer first") == 202
        refused = (
            None,
            "",
            "first",
            "Bearer",
            "Bearer firs",
            "Bearer first2",
            "Basic first",
            "Bearer zweiter",
        )
        assert [status(authorization) for authorization in refused] == [401] * len(refused)
        assert status("Bearer zweiter ö") == 202
        answer = client.post("/events", json=EVENT)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
    assert len(messages(broker, topic)) == 2


def test_a_key_sends_at_its_rate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("flyer_analytics.stream.collector.monotonic", lambda: now)
    with serving(replace(settings, keys=(b"a", b"b"), rate=10)) as client:

        def answer(key: str, count: int) -> httpx.Response:
            return client.post("/events", json=events(count), headers={"Authorization": f"Bearer {key}"})

        assert answer("a", 150).status_code == 202  # of the 100 in 10 seconds, and of 5 seconds to come
        refused = answer("a", 1)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "6")
        assert answer("b", 1).status_code == 202
        now += 5
        assert answer("a", 1).headers["Retry-After"] == "1"
        now += 0.2
        assert answer("a", 1).status_code == 202
        assert client.get("/health").status_code == 200


def test_refused_requests_count_in_the_rate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyer_analytics.stream.collector.monotonic", lambda: 1000.0)
    with serving(replace(settings, rate=0.1)) as client:
        assert client.post("/events", content=b"{", headers=JSON).status_code == 400
        refused = client.post("/events", json=EVENT)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")


def test_rates_of_the_clients_seen_last_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MAX_CLIENTS", 2)
    rates = Rates(1)
    for client in (b"a", b"b", b"a", b"c"):
        rates.spend(client, 20, now=0)
    assert [*rates.buckets] == [b"a", b"c"]
    assert (rates.secs_to_wait(b"a", 0), rates.secs_to_wait(b"b", 0), rates.secs_to_wait(b"a", 1000)) == (31, 0, 0)
    rates.spend(b"a", 1, now=1000)
    assert rates.tokens(b"a", 1000) == 9  # no more than a burst


# ---------- Kafka slow, full or away


def test_what_kafka_does_not_acknowledge_is_sent_again(
    settings: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "READY_SECS", 0.1)
    with serving(replace(settings, ack_secs=0.5)) as client:
        assert client.post("/events", json=EVENT).status_code == 202
        broker.process.send_signal(signal.SIGSTOP)
        try:
            refused = client.post("/events", json=events(3))
            not_ready = client.get("/ready")
        finally:
            broker.process.send_signal(signal.SIGCONT)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json() == {"error": "Kafka did not acknowledge. Send the request again"}
        assert (not_ready.status_code, client.get("/health").status_code) == (503, 200)
        until(lambda: client.post("/events", json=events(3)).status_code == 202)
    assert {*users(broker, topic)} == {"u0", "u1", "u2"}


def test_kafka_may_be_away_at_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "READY_SECS", 0.1)
    port = free_port()
    kafka = {"bootstrap.servers": f"127.0.0.1:{port}"}
    with serving(replace(settings, kafka=kafka, ack_secs=0.3)) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == client.post("/events", json=EVENT).status_code == 503
        with embedded.broker(port) as late:
            late.create_topic(settings.topic)
            until(lambda: client.get("/ready").status_code == 200)
            until(lambda: client.post("/events", json=EVENT).status_code == 202)


def test_a_full_queue_is_a_503(settings: Settings) -> None:
    kafka = {**settings.kafka, "queue.buffering.max.messages": "5", "linger.ms": "500"}
    with serving(replace(settings, kafka=kafka)) as client:
        assert client.post("/events", json=events(20)).status_code == 503
        assert client.post("/events", json=[]).status_code == 202


def test_a_topic_that_does_not_exist_is_not_created(settings: Settings) -> None:
    with serving(replace(settings, topic="unknown", ack_secs=0.5)) as client:
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["status"][:14]) == (503, "Topic unknown:")
        assert client.post("/events", json=EVENT).status_code == 503
        assert client.get("/ready").status_code == 503


def test_readiness_asks_kafka_once_for_many(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(collector.Kafka, "problem", lambda _: asked.append(1))
    assert {client.get("/ready").status_code for _ in range(20)} == {200}
    assert len(asked) < 20


# ---------- The process


@contextmanager
def running(*options: str, log: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the collector in a process of its own, and yield it with its URL."""
    command = [sys.executable, "-m", "flyer_analytics.stream.collector", "--port", "0", *options]
    with log.open("wb") as output:
        started = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        until(lambda: started.poll() is not None or b"Listening" in log.read_bytes())
        found = re.search(rb"http://[\d.]+:\d+", log.read_bytes())
        assert found, log.read_text()
        yield started, found[0].decode()
    finally:
        started.kill()
        started.wait()


def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    waited = threading.Event()
    for _ in range(WAIT_SECS * 50):
        if holds():
            return
        waited.wait(0.02)
    raise AssertionError("did not happen in time")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_what_has_begun(
    stop: signal.Signals, topic: str, broker: Broker, tmp_path: Path
) -> None:
    with running(log=tmp_path / "log") as (started, url):
        with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0)) as connection:
            content = json.dumps(EVENT).encode()
            head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(content) + content[:10])
            until(lambda: httpx.get(f"{url}/health").status_code == 200)
            started.send_signal(stop)
            until(lambda: refuses(url))
            connection.sendall(content[10:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 202 ")
        assert started.wait(WAIT_SECS) == 0
    assert users(broker, topic) == ["u1"]
    assert "1 event accepted; answers 202: 1" in (tmp_path / "log").read_text()


def refuses(url: str) -> bool:
    try:
        socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_no_acknowledged_event_is_lost_when_it_is_killed(broker: Broker, topic: str, tmp_path: Path) -> None:
    acknowledged: set[str] = set()

    def send(url: str, worker: int) -> None:
        with httpx.Client() as client, suppress(httpx.TransportError):
            while True:
                sent = [{**EVENT, "user_id": f"{worker}-{len(acknowledged)}-{part}"} for part in range(20)]
                if client.post(f"{url}/events", json=sent).status_code == 202:
                    acknowledged.update(str(event["user_id"]) for event in sent)

    with running(log=tmp_path / "log") as (started, url):
        workers = [threading.Thread(target=send, args=(url, worker)) for worker in range(4)]
        for worker in workers:
            worker.start()
        until(lambda: len(acknowledged) > 1000)
        started.kill()
        for worker in workers:
            worker.join()
    assert acknowledged <= {*users(broker, topic)}


@pytest.mark.usefixtures("topic")
def test_the_log_has_nothing_of_users_and_clients(broker: Broker, tmp_path: Path) -> None:
    private = ("sesame", "secret")
    log = tmp_path / "log"
    with (
        running("--ack-secs", "0.3", "--rate", "1", log=log, FLYER_COLLECTOR_KEYS="sesame, other") as (started, url),
        httpx.Client(base_url=url) as client,
    ):
        client.headers["Authorization"] = "Bearer sesame"
        event = {**EVENT, "user_id": "secret-user", "secret": "secret"}
        statuses = [
            client.post("/events?secret=secret", json=event).status_code,
            client.post("/events", json=[event, {**event, "event": None}]).status_code,
            client.post("/events", content=b'{"secret', headers=JSON).status_code,
            client.post("/events", content=b'{"user_id": "secret\xff"}', headers=JSON).status_code,
            client.post("/events", json={}, headers={"Authorization": "Bearer secret"}).status_code,
            client.get("/secret?secret=secret").status_code,
        ]
        assert statuses == [202, 400, 400, 400, 401, 404]
        with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as connection:
            connection.sendall(b"SECRET secret secret\r\n\r\n")
            assert b" 400 " in connection.recv(1000)
        broker.process.send_signal(signal.SIGSTOP)
        try:
            assert client.post("/events", json=event).status_code == 503
        finally:
            broker.process.send_signal(signal.SIGCONT)
        assert client.post("/events", json=events(100)).status_code in (202, 503)
        assert client.post("/events", json=event).status_code == 429
        started.terminate()
        assert started.wait(WAIT_SECS) == 0
    said = log.read_text()
    assert not [word for word in private if word in said.lower()]
    assert set(re.findall(r"127\.0\.0\.1:\d+", said)) <= {url.removeprefix("http://"), broker.address}
    assert "401: 1" in said
    assert "503: " in said


def test_an_exception_is_logged_without_its_message() -> None:
    private = "sesame"
    try:
        raise ValueError(private)
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, error.__traceback__)})
    said = Discreet().format(record)
    assert private not in said
    assert said.startswith("failed")
    assert said.endswith("    raise ValueError(private)\nValueError")


def test_a_problem_is_logged_once_a_minute() -> None:
    once = OncePerMinute()

    def said(problem: str, at: float, level: int = logging.WARNING) -> str | None:
        record = logging.makeLogRecord({"msg": problem, "levelno": level, "created": at})
        return record.getMessage() if once.filter(record) else None

    assert [said("down", at) for at in (0, 1, 59)] == ["down", None, None]
    assert said("other", 2) == "other"
    assert said("down", 60) == "down (2 times more since it was last shown)"
    assert said("down", 120) == "down"
    assert said("report", 0, logging.INFO) == said("report", 1, logging.INFO) == "report"


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--rate", "-1"], {}, "--rate: -1 is not between 0 and 1e+06"),
        (["--ack-secs", "nan"], {}, "--ack-secs: nan is not between 0.1 and 300"),
        ([], {"FLYER_COLLECTOR_KEYS": " , "}, "FLYER_COLLECTOR_KEYS (or _FILE) is set, but has no key"),
        ([], {"FLYER_COLLECTOR_KEYS_FILE": "none"}, "FLYER_COLLECTOR_KEYS_FILE: cannot read none"),
        ([], {"FLYER_KAFKA_CONFIG": "none"}, "FLYER_KAFKA_CONFIG: none cannot be read"),
    ],
)
def test_invalid_settings(
    options: list[str],
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(collector, "set_up_log", lambda: None)
    try:
        status = collector.main(options)
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]
    assert status == 2
    assert message in capsys.readouterr().err


def test_an_invalid_property_of_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kafka").write_text("# TLS\nno.such.property=1\n")
    monkeypatch.setenv("FLYER_KAFKA_CONFIG", str(tmp_path / "kafka"))
    monkeypatch.setattr(collector, "set_up_log", lambda: None)
    assert collector.main([]) == 2
    assert 'No such configuration property: "no.such.property"' in capsys.readouterr().err


def test_keys_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text("one\n\n two, too \n")
    monkeypatch.setenv("FLYER_COLLECTOR_KEYS_FILE", str(tmp_path / "keys"))
    assert collector.client_keys() == (b"one", b"two, too")
