"""The world that is replayed, and the ledger that what was published is held against."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path

import duckdb
import pytest

from flyer_analytics.stream.ledger import Held, different_rows, hold
from flyer_analytics.stream.replay import entry
from flyer_analytics.stream.world import WorldEvent, world

START = 1.6e9
BEFORE = datetime(2020, 9, 13)
LOADED, LATER = "2020-09-13 12:30:00", "2020-09-13 12:31:00"


@pytest.mark.parametrize("rate", [5, 200])
def test_a_world_is_seeded_and_keeps_its_rate_from_the_first_second_on(rate: float) -> None:
    events = list(islice(world(1, rate, START), round(rate * 60)))
    assert events == list(islice(world(1, rate, START), len(events)))
    assert events != list(islice(world(2, rate, START), len(events)))
    arrivals = [event.arrives_at for event in events]
    assert arrivals == sorted(arrivals)
    for minute_part in (arrivals[: len(arrivals) // 2], arrivals[len(arrivals) // 2 :]):
        assert 20 < minute_part[-1] - minute_part[0] < 45


def test_a_world_has_repeats_late_events_and_every_kind_that_is_rejected() -> None:
    events = list(islice(world(1, 50, START), 5000))
    sent = Counter(event.json() for event in events)
    assert 10 < sum(sent.values()) - len(sent) < 30
    assert {event.sent["merchant_id"] for event in events} >= {"NULL", "<null>"}
    assert len({json.dumps(event.sent) for event in events if event.event_at is None}) >= 5
    ages = [event.arrives_at - event.event_at.timestamp() for event in events if event.event_at]
    assert max(ages) > 180


class Run:
    """A database as the pipeline leaves it, with its ledger and statuses. Events are those of a small world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = list(islice(world(1, 50, START), 600))
        self.database = folder / "flyer_analytics.duckdb"
        with self.connect() as built:
            built.execute("""
                create schema staging;
                create table staging.stg_flyer_app__events (
                    event_at timestamp, user_id text, event text, flyer_id text, merchant_id text, _loaded_at timestamp
                );
                create table staging.stg_flyer_app__rejected (
                    raw_timestamp text, raw_user_id text, raw_event text, raw_flyer_id text, raw_merchant_id text,
                    _loaded_at timestamp
                );
            """)

    def connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.database))

    def stage(self, events: Iterable[WorldEvent]) -> None:
        """Stage events, repeats once."""
        staged = self.folder / "staged.jsonl"
        rows = {event.json(): event for event in events}.values()
        staged.write_text("".join(entry(0, event) for event in rows), encoding="utf-8")
        with self.connect() as built:
            built.execute(f"""
                create temporary table new as
                from read_json('{staged}', columns = {{
                    "timestamp": 'text', user_id: 'text', event: 'text', flyer_id: 'text', merchant_id: 'text',
                    _event_at: 'timestamp', _merchant_id: 'text'
                }});
                insert into staging.stg_flyer_app__events
                select _event_at, user_id, event, flyer_id, _merchant_id, '{LOADED}' from new
                where _event_at is not null;
                insert into staging.stg_flyer_app__rejected
                select "timestamp", user_id, event, flyer_id, merchant_id, '{LOADED}' from new
                where _event_at is null;
            """)

    def hold(self, *publications: tuple[str, str], unacknowledged: Iterable[int] = ()) -> Held:
        ledger, statuses = self.folder / "ledger.jsonl", self.folder / "status.jsonl"
        ledger.write_text("".join(entry(number, event) for number, event in enumerate(self.events)), encoding="utf-8")
        lines = [{"published": True, "published_at": at, "loaded_to": to} for at, to in publications]
        statuses.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return hold(self.database, ledger, {*unacknowledged}, statuses, BEFORE, self.folder / "counted.jsonl")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


PUBLISHED = ("2100-01-01T00:00:00+00:00", LOADED)


def test_all_is_well_if_every_event_is_staged_or_rejected_and_published(run: Run) -> None:
    run.stage(run.events)
    held = run.hold(PUBLISHED)
    assert held.is_complete
    assert (held.sent, held.published, held.missing, held.doubled) == (600, 600, 0, 0)
    assert held.max
    assert held.max > 1e9  # the publication is in the year 2100
    assert str(held).startswith("sent 600, published 600, missing 0, doubled 0, p50 ")
    assert len((run.folder / "counted.jsonl").read_text().splitlines()) == 600


@pytest.mark.parametrize("kind", ["usable", "rejected"])
def test_an_event_that_was_lost_is_missing(run: Run, kind: str) -> None:
    lost = next(event for event in run.events if (event.event_at is None) == (kind == "rejected"))
    run.stage(event for event in run.events if event is not lost)
    held = run.hold(PUBLISHED)
    assert (held.published, held.missing, held.doubled, held.is_complete) == (599, 1, 0, False)


def test_an_event_that_counts_twice_or_was_never_sent_is_doubled(run: Run) -> None:
    run.stage(run.events)
    run.stage(run.events[:1])
    assert run.hold(PUBLISHED).doubled == 1
    run.stage(islice(world(2, 50, START), 1))
    held = run.hold(PUBLISHED)
    assert (held.missing, held.doubled, held.is_complete) == (0, 2, False)


def test_an_event_is_published_by_the_first_publication_that_has_its_load(run: Run) -> None:
    run.stage(run.events)
    day = 86400
    first = run.hold(("2100-01-02T00:00:00+00:00", LATER), ("2100-01-03T00:00:00+00:00", LATER)).max or 0
    second = (
        run.hold(("2100-01-01T00:00:00+00:00", "2020-09-13 12:29:00"), ("2100-01-03T00:00:00+00:00", LATER)).max or 0
    )
    assert second - first == pytest.approx(day, abs=600)
    held = run.hold(("2100-01-01T00:00:00+00:00", "2020-09-13 12:29:00"))
    assert (held.published, held.missing) == (0, 600)
    assert run.hold().missing == 600


def test_what_was_not_acknowledged_may_be_missing_or_not(run: Run) -> None:
    run.stage(run.events[1:])
    held = run.hold(PUBLISHED, unacknowledged=[0, 1])
    assert (held.sent, held.published, held.missing, held.doubled) == (598, 598, 0, 0)
    assert len((run.folder / "counted.jsonl").read_text().splitlines()) == 599


def test_marts_that_differ_are_named_with_their_number_of_rows(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("published.duckdb", "reference.duckdb")]
    for number, path in enumerate(paths):
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema marts; create table marts.same as select 1 as a")
            connection.execute(f"create table marts.other as select {number} as a")
    assert different_rows(*paths) == {"marts.other": 2}
    assert different_rows(paths[0], paths[0]) == {}
