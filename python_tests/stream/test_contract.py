"""One contract: the JSON Schema, the AsyncAPI document, the collector, loading and dbt's source agree."""

import inspect
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]

from flyer_analytics.load import disk
from flyer_analytics.load.columns import REQUIRED_KEYS, SOURCES, event_columns
from flyer_analytics.stream import collector
from flyer_analytics.stream.broker import Broker
from flyer_analytics.stream.kafka import topic

CONTRACTS = Path(__file__).parents[2] / "contracts"
SCHEMA: dict[str, Any] = json.loads((CONTRACTS / "flyer-event.schema.json").read_text(encoding="utf-8"))
ASYNCAPI: dict[str, Any] = yaml.safe_load((CONTRACTS / "flyer-events.asyncapi.yaml").read_text(encoding="utf-8"))

EVENT = {"timestamp": "2018-10-01T13:54:59-04:00", "user_id": "u", "event": "item_open"}
VALUES: tuple[object, ...] = (
    *("", "7100", "%3Cnull%3E", 'Zoë 😀\n\t"\\'),
    *(0, -1, 7100, 10**30, 7100.0, 0.5),
    *(True, None, [], [1], {}, {"a": 1}),
)
EXAMPLES: list[object] = [
    *SCHEMA["examples"],
    *({**EVENT, member: value} for member in event_columns() for value in VALUES),
    *({name: value for name, value in EVENT.items() if name != missing} for missing in EVENT),
    *({**EVENT, name: value} for name in ("x", "", "é", "_loaded_at", "user-id", "events") for value in VALUES),
    *({**EVENT, name: "x"} for name in ("Timestamp", "USER_ID", "evenT", "Flyer_Id", "merchant_ID")),
    *VALUES,
]


def is_accepted(example: object) -> bool:
    try:
        return len(collector.messages_of(json.dumps(example).encode())) == 1
    except collector.RefusedError as refused:
        assert refused.answer.status_code == 400
        return False


def test_the_collector_accepts_what_the_schema_allows() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for schema in (Draft202012Validator(SCHEMA), Draft7Validator(SCHEMA)):
        for example in EXAMPLES:
            if example != []:  # a batch without events
                assert is_accepted(example) == schema.is_valid(example), example
    assert 50 < sum(map(is_accepted, EXAMPLES)) < len(EXAMPLES) - 50


def test_all_name_the_same_members() -> None:
    source = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["sources"][0]["tables"][0]
    raw = [column["name"] for column in source["columns"] if not column["name"].startswith("_")]
    assert raw == event_columns()
    assert [*SCHEMA["properties"]] == raw
    assert [*collector.Event.__struct_fields__] == raw
    assert SCHEMA["propertyNames"]["anyOf"][0]["enum"] == raw
    assert SCHEMA["required"] == [*REQUIRED_KEYS]
    assert SCHEMA["additionalProperties"] is True
    assert all(member["description"] for member in SCHEMA["properties"].values())


def test_every_accepted_event_is_loaded_as_it_was_sent(tmp_path: Path) -> None:
    nested = [{**EVENT, "x": json.loads("[" * depth + "]" * depth)} for depth in (10, 500, 900)]
    accepted = [example for example in [*EXAMPLES, *nested] if isinstance(example, dict) and is_accepted(example)]
    values = [value for _, value in collector.messages_of(json.dumps(accepted).encode())]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(values) + b"\n")
    outcome = disk.load(str(tmp_path / "events.jsonl"), tmp_path / "test.duckdb", lambda _: None)
    assert (outcome.rows, outcome.rejected) == (len(accepted), 0)
    with duckdb.connect(str(tmp_path / "test.duckdb")) as connection:
        columns = ", ".join(f'"{name}"' for name in event_columns())
        rows = connection.execute(f"select {columns} from raw.flyer_events order by _source_row").fetchall()
    sent = [[example.get(name) for name in event_columns()] for example in accepted]
    assert rows == [
        tuple(value if isinstance(value, str | None) else json.dumps(value) for value in values) for values in sent
    ]


def test_the_asyncapi_document_describes_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLYER_KAFKA_TOPIC", raising=False)
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {*ASYNCAPI["info"]} >= {"title", "version"}
    [channel] = ASYNCAPI["channels"].values()
    kafka = channel["bindings"]["kafka"]
    assert channel["address"] == kafka["topic"] == topic()
    assert kafka["partitions"] == inspect.signature(Broker.create_topic).parameters["partitions"].default
    assert kafka["topicConfiguration"]["cleanup.policy"] == ["delete"]
    [message] = channel["messages"].values()
    assert resolved(message)["contentType"] == "application/json"
    assert resolved(resolved(message)["payload"]) == SCHEMA
    assert f"at most {collector.MAX_EVENT:,} bytes" in resolved(message)["summary"]
    [operation] = ASYNCAPI["operations"].values()
    assert operation["action"] == "send"
    assert resolved(operation["channel"]) is channel
    assert [resolved(sent) for sent in operation["messages"]] == [message]


def resolved(reference: dict[str, str]) -> Any:
    """Return what a reference leads to, in the document or in a file beside it."""
    file, _, path = reference["$ref"].partition("#")
    found: Any = json.loads((CONTRACTS / file).read_text(encoding="utf-8")) if file else ASYNCAPI
    for part in path.split("/")[1:]:
        found = found[part]
    return found
