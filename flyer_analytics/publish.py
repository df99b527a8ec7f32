"""Publish a copy of the marts for BI tools: ``python -m flyer_analytics.publish``.

While one process writes a DuckDB file, no other can read it. So only dbt should open the database itself, and all
others open a copy in another folder: one DuckDB file with all marts, and one Parquet file per mart. New files are
written to a temporary folder, then each replaces the old one atomically. Readers that have an old file open continue to
read it, readers that connect later get the new one, and a failed or killed run changes nothing.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from flyer_analytics.dbt_profile import database_path, memory_limit, storage_version
from flyer_analytics.rejections import why_nothing_is_usable
from flyer_analytics.text import sql_text

COPY = "flyer_marts.duckdb"
SCRATCH_PREFIX = ".publishing-"  # of the temporary folder; a killed run leaves it behind
EVENTS = "stg_flyer_app__events_keyed"
# build_state exists only while a complete build is known. Later loads are not in all models. A build without an event
# counts as none: its empty marts would replace good ones.
IS_COMPLETE = "select completed_to = (select max(_loaded_at) from {events}) from {state}"


class NotBuiltError(Exception):
    """The database has no complete build."""


@dataclass(frozen=True)
class Mart:
    """A public model of the project, as dbt's manifest describes it."""

    schema: str
    name: str
    description: str
    columns: dict[str, str]  # descriptions by name

    @property
    def relation(self) -> str:
        return f'"{self.schema}"."{self.name}"'


def published_path() -> Path:
    """Return the folder of the published copy: ``FLYER_PUBLISHED_PATH``, by default `published` beside the database."""
    named = os.environ.get("FLYER_PUBLISHED_PATH")
    return Path(named) if named else database_path().parent / "published"


def public_marts(nodes: dict[str, dict[str, object]]) -> Iterator[Mart]:
    """Yield the public models among the ``nodes`` of a manifest, sorted by name."""
    for key in sorted(nodes):
        match nodes[key]:
            case {
                "resource_type": "model",
                "access": "public",
                "schema": str(schema),
                "alias": str(name),
                "description": str(description),
                "columns": dict(columns),
            }:
                yield Mart(schema, name, description, {name: it["description"] for name, it in columns.items()})


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(database: Path, events_schema: str, marts: list[Mart], folder: Path) -> None:
    """Write the marts of ``database`` into ``folder``.

    Rows are sorted. That takes a tenth longer and makes queries for one user or merchant many times faster. Raises
    NotBuiltError if the database has no complete build, and duckdb.Error if a file cannot be read or written.
    """
    with duckdb.connect(config={"memory_limit": memory_limit(), "temp_directory": f"{folder}/spilled"}) as connection:
        connection.execute(f"attach {sql_text(database)} as source (read_only)")
        if not is_complete(connection, events_schema):
            raise NotBuiltError(f"{database} has no complete build: the last one failed, was killed or left models out")
        connection.execute(f"attach {sql_text(folder / COPY)} as copy (storage_version {sql_text(storage_version())})")
        for mart in marts:
            copied = f"copy.{mart.relation}"
            connection.execute(f'create schema if not exists copy."{mart.schema}"')
            connection.execute(f"create table {copied} as from source.{mart.relation} order by all")
            connection.execute(f"comment on table {copied} is {sql_text(mart.description)}")
            for name, description in mart.columns.items():
                connection.execute(f'comment on column {copied}."{name}" is {sql_text(description)}')
            connection.execute(f"copy {copied} to {sql_text(folder / f'{mart.name}.parquet')} (compression zstd)")
        connection.execute("checkpoint copy")
        connection.execute("detach copy")


def is_complete(connection: duckdb.DuckDBPyConnection, events_schema: str) -> bool:
    """Return whether all models of the attached database `source` are of one build, with all loads."""
    events, state = (f'source."{events_schema}".{name}' for name in (EVENTS, "build_state"))
    try:
        return connection.execute(IS_COMPLETE.format(events=events, state=state)).fetchone() == (True,)
    except duckdb.CatalogException:
        return False


def publish(database: Path, manifest: Path, folder: Path) -> list[Mart]:
    """Replace the files in ``folder`` by the public marts of ``database``, which ``manifest`` lists, and return these.

    Each file is replaced atomically. Raises NotBuiltError if the database has no complete build, and duckdb.Error or
    OSError if a file cannot be read or written. The copy is then unchanged.
    """
    if not (database.exists() and manifest.exists()):
        raise NotBuiltError(f"{database if manifest.exists() else manifest} does not exist")
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    marts = list(public_marts(nodes))
    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob(f"{SCRATCH_PREFIX}*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=folder) as name:
        scratch = Path(name)
        write(database, nodes[f"model.flyer_analytics.{EVENTS}"]["schema"], marts, scratch)
        written = [COPY, *(f"{mart.name}.parquet" for mart in marts)]
        for name in written:
            # Read-only: a tool that opens the copy for writing would lock out all others.
            (scratch / name).chmod(0o444)
            sync(scratch / name)
        # A tool that was killed while it wrote to the copy leaves a WAL, with which the new file could not be opened.
        (folder / f"{COPY}.wal").unlink(missing_ok=True)
        for name in written:
            os.replace(scratch / name, folder / name)  # noqa: PTH105
        sync(folder)
    return marts


def main() -> int:
    database, folder = database_path(), published_path()
    manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")
    try:
        marts = publish(database, manifest, folder)
    except (NotBuiltError, duckdb.Error, OSError) as error:
        why = why_nothing_is_usable(database) or f"{error}\nRun `make build` first, to the end."
        print(f"Nothing was published: {why}", file=sys.stderr)
        return 1
    print(f"Published for BI tools: {(folder / COPY).resolve()}")
    print(f"  and as Parquet: {', '.join(mart.name for mart in marts)}")
    for file in sorted({*folder.glob("*.parquet")} - {folder / f"{mart.name}.parquet" for mart in marts}):
        print(f"{file} is not a mart any more; delete it if nobody reads it", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
