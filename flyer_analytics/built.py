"""The complete build in DuckDB as publishing and exporting read it, and files that replace older ones atomically."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from flyer_analytics.dbt_profile import memory_limit
from flyer_analytics.durable import sync
from flyer_analytics.text import sql_text

Nodes = dict[str, dict[str, Any]]
Fingerprints = dict[date | None, tuple[int, int]]  # by date: the sum of its rows' hashes, and the number of its rows

INCOMPLETE = "has no complete build: the last one failed, was killed, left models out or was --empty. Run `make build`"
EVENTS = "model.flyer_analytics.stg_flyer_app__events_keyed"
# build_state exists only while a complete build is known. Later loads are not in all models. A build without an event
# counts as none: its empty marts would replace good ones.
IS_COMPLETE = """
    select completed_to = (select max(_loaded_at) from {schema}.stg_flyer_app__events_keyed) from {schema}.build_state
"""


class NotBuiltError(Exception):
    """The database has no complete build. The message says what to do."""


def read_nodes(manifest: Path) -> Nodes:
    """Return the nodes of dbt's manifest by their id. Raises NotBuiltError if there is no such file."""
    if not manifest.exists():
        raise NotBuiltError(f"{manifest} does not exist. Run `make build` first")
    nodes: Nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    return nodes


@contextmanager
def complete_build(
    database: Path, nodes: Nodes, scratch: Path, name: str = "source"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach ``database`` read-only under ``name``, to a connection that spills into the folder ``scratch``.

    Raises NotBuiltError if there is no complete build, and duckdb.Error if the file cannot be read.
    """
    if not database.exists():
        raise NotBuiltError(f"{database} does not exist. Run `make build` first")
    with duckdb.connect(config={"memory_limit": memory_limit(), "temp_directory": f"{scratch}/spilled"}) as connection:
        connection.execute(f'attach {sql_text(database)} as "{name}" (read_only)')
        if not is_complete(connection, f'"{name}"."{nodes[EVENTS]["schema"]}"'):
            raise NotBuiltError(f"{database} {INCOMPLETE}")
        yield connection


def catalog_name(database: Path) -> str:
    """Return the name that DuckDB, and so the SQL of dbt's views, gives to a database file."""
    return database.name.lstrip(".").split(".")[0]


def is_complete(connection: duckdb.DuckDBPyConnection, schema: str) -> bool:
    """Return whether all models are of one build, with all loads. ``schema`` has the events and the build's state."""
    try:
        return connection.execute(IS_COMPLETE.format(schema=schema)).fetchone() == (True,)
    except duckdb.CatalogException:
        return False


def fingerprints(
    connection: duckdb.DuckDBPyConnection, relation: str, day: str = "date", condition: str = "true"
) -> Fingerprints:
    """Return the fingerprint of each date of ``relation``; ``day`` is the expression for it.

    DuckDB combines the hashes of a row's columns by xor, so they are hashed once more: a sum of xors can stay the same
    when rows exchange values.
    """
    found = connection.execute(
        f"select {day}, sum(hash(hash(entry))), count(*) from {relation} as entry where {condition} group by 1"
    )
    return {day: (hashes, rows) for day, hashes, rows in found.fetchall()}


def is_on(days: Iterable[date | None]) -> str:
    """Return the SQL condition for rows on one of these dates. None is every date."""
    days = list(days)
    return "true" if None in days else f"date in ({', '.join(f'{sql_text(day)}::date' for day in days)})"


def digest(*parts: object) -> str:
    """Return a short text that differs if one of ``parts`` does."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def fingerprint_in(connection: duckdb.DuckDBPyConnection, file: Path) -> str | None:
    """Return the fingerprint with which ``replace_parquet`` wrote ``file``; None if there is no such file."""
    query = "select decode(value) from parquet_kv_metadata($file) where decode(key) = 'fingerprint'"
    try:
        row = connection.execute(query, {"file": str(file)}).fetchone()
    except duckdb.Error:  # missing or damaged
        return None
    return str(row[0]) if row else None


def replace_parquet(
    connection: duckdb.DuckDBPyConnection, rows: str, file: Path, fingerprint: str, scratch: Path
) -> None:
    """Write the rows of a query to ``file``, in place of an older one, with their fingerprint in its metadata.

    Snappy is the codec that all readers of Parquet have.
    """
    written = scratch / file.name
    connection.execute(
        f"copy ({rows}) to {sql_text(written)}"
        f" (format parquet, compression snappy, kv_metadata {{fingerprint: {sql_text(fingerprint)}}})"
    )
    replace(written, file)


def replace(written: Path, file: Path) -> None:
    """Put ``written`` in the place of ``file``, atomically and durably."""
    # Read-only: a tool that opened it for writing would lock out all others.
    written.chmod(0o444)
    sync(written)
    os.replace(written, file)  # noqa: PTH105
    sync(file.parent)


@contextmanager
def scratch_folder(folder: Path, prefix: str) -> Iterator[Path]:
    """Create ``folder``, and in it a temporary folder. Removes those that killed runs have left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob(f"{prefix}*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with TemporaryDirectory(prefix=prefix, dir=folder) as name:
        yield Path(name)
