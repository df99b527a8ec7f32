"""Hold what was published against the ledger of a replay: every event counts once, or is rejected with a reason."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from flyer_analytics.text import sql_text

# What was sent, with what cleansing must make of it. An event without an instant must be rejected.
SENT = """
    create table sent as
    select
        _number as number,
        make_timestamptz((_sent_at * 1e6)::bigint) as sent_at,
        _event_at as event_at,
        "timestamp", user_id, event, flyer_id, merchant_id,
        _merchant_id as clean_merchant_id,
        number not in (select unnest($unacknowledged::bigint[])) as is_acknowledged
    from read_json({ledger}, format = 'newline_delimited', columns = {{
        _number: 'bigint', _sent_at: 'double', _event_at: 'timestamp', _merchant_id: 'varchar',
        "timestamp": 'varchar', user_id: 'varchar', event: 'varchar', flyer_id: 'varchar', merchant_id: 'varchar'
    }})
"""

# The events of the stream in the database, usable or rejected, and since when.
STAGED = """
    create table staged as
    select event_at, user_id, event, flyer_id, merchant_id, count(*) as copies, min(_loaded_at) as loaded_at
    from built.staging.stg_flyer_app__events
    where _loaded_at > {since}
    group by all;

    create table rejected as
    select
        raw_timestamp as "timestamp", raw_user_id as user_id, raw_event as event, raw_flyer_id as flyer_id,
        raw_merchant_id as merchant_id, min(_loaded_at) as loaded_at
    from built.staging.stg_flyer_app__rejected
    where _loaded_at > {since}
    group by all;
"""

FOUND = """
    create table found as
    select sent.number, sent.sent_at, sent.is_acknowledged, coalesce(staged.loaded_at, rejected.loaded_at) as loaded_at
    from sent
    left join staged
        on sent.event_at = staged.event_at
        and sent.user_id = staged.user_id
        and sent.event = staged.event
        and sent.flyer_id is not distinct from staged.flyer_id
        and sent.clean_merchant_id is not distinct from staged.merchant_id
    left join rejected
        on sent.event_at is null
        and sent."timestamp" = rejected."timestamp"
        and sent.user_id = rejected.user_id
        and sent.event = rejected.event
        and sent.flyer_id is not distinct from rejected.flyer_id
        and sent.merchant_id is not distinct from rejected.merchant_id
"""

# An event is published by the first publication that holds its load.
PUBLISHED = """
    create table published as
    select found.number, found.is_acknowledged, epoch(publications.published_at - found.sent_at) as secs
    from found
    asof left join (
        select loaded_to, min(published_at) as published_at from publications group by loaded_to
    ) as publications on found.loaded_at <= publications.loaded_to
"""

# What a build of the same events in one go reads: what is acknowledged, or has arrived all the same.
COUNTED = """
    copy (
        select "timestamp", user_id, event, flyer_id, merchant_id
        from sent inner join found using (number)
        where sent.is_acknowledged or found.loaded_at is not null
        order by number
    ) to {file} (format json)
"""

DIFFERENT_ROWS = """
    select count(*) from (
        (from published.{mart} except all from reference.{mart})
        union all
        (from reference.{mart} except all from published.{mart})
    )
"""

COUNTS = """
    select
        count(*) filter (is_acknowledged),
        count(*) filter (is_acknowledged and secs is not null),
        count(*) filter (is_acknowledged and secs is null),
        (select coalesce(sum(copies - 1), 0) from staged)
            + (select count(*) from staged where not exists (
                select 1 from sent where sent.event_at = staged.event_at and sent.user_id = staged.user_id
            )),
        quantile_cont(secs, 0.5),
        quantile_cont(secs, 0.95),
        max(secs)
    from published
"""


@dataclass(frozen=True)
class Held:
    """A ledger and what was published of it. Times are from sending to publication, in seconds."""

    sent: int
    """Events that Kafka has acknowledged."""
    published: int
    missing: int
    doubled: int
    """Events that count more than once, or that nobody sent."""
    p50: float | None
    p95: float | None
    max: float | None

    @property
    def is_complete(self) -> bool:
        """Return whether every event was published once."""
        return not (self.missing or self.doubled)

    def __str__(self) -> str:
        times = (f"{name} {secs:.1f} s" for name, secs in zip(("p50", "p95", "max"), self.times, strict=True))
        return (
            f"sent {self.sent}, published {self.published}, missing {self.missing}, doubled {self.doubled}, "
            + ", ".join(times)
        )

    @property
    def times(self) -> tuple[float, float, float]:
        return self.p50 or 0, self.p95 or 0, self.max or 0


def hold(
    database: Path, ledger: Path, unacknowledged: set[int], statuses: Path, since: datetime, counted: Path
) -> Held:
    """Hold the built ``database`` and the loop's ``statuses`` against a ledger.

    Loads up to ``since`` (UTC) were there before. Writes the events that count to ``counted``, as JSON lines.
    """
    lines = map(json.loads, statuses.read_text(encoding="utf-8").splitlines())
    publications = [(line["published_at"], line["loaded_to"]) for line in lines if line["published"]]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach {sql_text(database)} as built (read_only)")
        connection.execute("create table publications (published_at timestamptz, loaded_to timestamp)")
        if publications:
            connection.executemany("insert into publications values (?, ?)", publications)
        connection.execute(SENT.format(ledger=sql_text(ledger)), {"unacknowledged": [*unacknowledged]})
        connection.execute(STAGED.format(since=f"timestamp '{since}'"))
        connection.execute(FOUND)
        connection.execute(PUBLISHED)
        connection.execute(COUNTED.format(file=sql_text(counted)))
        found = connection.execute(COUNTS).fetchone()
        assert found
        return Held(*found)


def different_rows(published: Path, reference: Path) -> dict[str, int]:
    """Count the rows by which published marts differ from those of a database; marts that are equal are left out."""
    with duckdb.connect() as connection:
        for name, path in (("published", published), ("reference", reference)):
            connection.execute(f"attach {sql_text(path)} as {name} (read_only)")
        marts = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'published'"
        ).fetchall()
        counts = {mart: connection.execute(DIFFERENT_ROWS.format(mart=mart)).fetchall()[0][0] for (mart,) in marts}
    return {mart: count for mart, count in counts.items() if count}
