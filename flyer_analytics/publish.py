"""Publish a copy of the marts for BI tools: ``python -m flyer_analytics.publish``.

While one process writes a DuckDB file, no other can read it. So only dbt should open the database itself, and all
others open a copy in another folder: one DuckDB file with all marts, and one Parquet file per mart. New files are
written to a temporary folder, then each replaces the old one atomically. Readers that have an old file open continue to
read it, readers that connect later get the new one, and a failed or killed run changes nothing.

The new DuckDB file is the old one, with the dates replaced whose rows differ. Nothing records which dates these are:
fingerprints of the rows are compared, so the copy equals the marts whatever happened since the last publish.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from flyer_analytics.built import (
    Fingerprints,
    Nodes,
    NotBuiltError,
    complete_build,
    digest,
    fingerprint_in,
    fingerprints,
    is_on,
    read_nodes,
    replace,
    replace_parquet,
    scratch_folder,
)
from flyer_analytics.dbt_profile import database_path, storage_version
from flyer_analytics.explained import explained
from flyer_analytics.rejections import why_nothing_is_usable
from flyer_analytics.text import counted, sql_text

Changes = dict[str, list[date | None]]  # dates by mart; None stands for all of a mart without dates
Tables = dict[tuple[str, str], list[tuple[str, str, str]]]  # by schema and name: columns with their types and comments

COPY = "flyer_marts.duckdb"
SCRATCH_PREFIX = ".publishing-"
MOST_RUNS = 100  # sorted runs of which a table may consist before all of it is sorted again


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

    @property
    def day(self) -> str:
        """The expression by whose values rows are compared. A mart without dates is compared as a whole."""
        return "date" if "date" in self.columns else "null::date"


@dataclass(frozen=True)
class Published:
    """What a publish did."""

    marts: list[Mart]
    whole: bool  # whether all rows of the DuckDB file were written
    changed: Changes  # the dates that were replaced otherwise
    parquet: list[str]  # the marts whose Parquet files were written


def published_path() -> Path:
    """Return the folder of the published copy: ``FLYER_PUBLISHED_PATH``, by default `published` beside the database."""
    named = os.environ.get("FLYER_PUBLISHED_PATH")
    return Path(named) if named else database_path().parent / "published"


def public_marts(nodes: Nodes) -> Iterator[Mart]:
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


def publish(
    database: Path, manifest: Path, folder: Path, *, whole: bool = False, parquet_every: timedelta = timedelta(0)
) -> Published:
    """Bring the files in ``folder`` up to date with the public marts of ``database``, which ``manifest`` lists.

    Replaces the dates whose rows differ, or writes all files if ``whole`` or ``needs_whole``. A Parquet file is
    otherwise written if its mart has changed since and it is older than ``parquet_every``.

    Each file is replaced atomically. Raises NotBuiltError if the database has no complete build, and duckdb.Error or
    OSError if a file cannot be read or written. That file is then unchanged.
    """
    nodes = read_nodes(manifest)
    marts = list(public_marts(nodes))
    with scratch_folder(folder, SCRATCH_PREFIX) as scratch, complete_build(database, nodes, scratch) as connection:
        built = {mart.name: fingerprints(connection, f"source.{mart.relation}", mart.day) for mart in marts}
        changes = None if whole else changed_dates(connection, marts, built, folder)
        if changes is None:
            write_whole(connection, marts, scratch / COPY)
        elif changes:
            write_changes(connection, marts, changes, folder / COPY, scratch / COPY)
        connection.execute("detach database if exists published")
        if (scratch / COPY).exists():
            # A tool killed while it wrote to the copy leaves a WAL, with which the new file could not be opened.
            (folder / f"{COPY}.wal").unlink(missing_ok=True)
            replace(scratch / COPY, folder / COPY)
        connection.execute(f"attach {sql_text(folder / COPY)} as published (read_only)")
        parquet = []
        for mart, fingerprint in parquet_fingerprints(connection, marts, built):
            file = folder / f"{mart.name}.parquet"
            is_due = is_older(file, parquet_every) and fingerprint_in(connection, file) != fingerprint
            if changes is None or is_due:
                replace_parquet(connection, f"from published.{mart.relation}", file, fingerprint, scratch)
                parquet.append(mart.name)
    return Published(marts, changes is None, changes or {}, parquet)


def needs_whole(database: Path, manifest: Path, folder: Path) -> bool:
    """Return whether ``publish`` will write all files, whatever the rows are.

    It does if there is no copy or it cannot be read, if tables, columns, types or comments differ, or if too many dates
    were replaced since its rows were sorted. Raises NotBuiltError and duckdb.Error as ``publish`` does.
    """
    nodes = read_nodes(manifest)
    with complete_build(database, nodes, folder / f"{SCRATCH_PREFIX}question") as connection:
        return not can_be_updated(connection, list(public_marts(nodes)), folder)


def can_be_updated(connection: duckdb.DuckDBPyConnection, marts: list[Mart], folder: Path) -> bool:
    """Attach the copy as `published`, and return whether it has the same tables, sorted well enough."""
    if (folder / f"{COPY}.wal").exists():
        return False  # a tool has written to it
    try:
        connection.execute(f"attach {sql_text(folder / COPY)} as published (read_only)")
        return described(connection, "published") == expected(connection, marts) and all(
            sorted_runs(connection, f"published.{mart.relation}") <= MOST_RUNS for mart in marts
        )
    except duckdb.Error:
        return False


def described(connection: duckdb.DuckDBPyConnection, database: str) -> Tables:
    """Return the tables of an attached database. The first entry of each has the table's own comment."""
    found = connection.execute(
        "select schema_name, table_name, '', '', comment, 0 as position from duckdb_tables()"
        " where database_name = $name"
        " union all select schema_name, table_name, column_name, data_type, comment, column_index from duckdb_columns()"
        " where database_name = $name order by position",
        {"name": database},
    )
    tables: Tables = {}
    for schema, table, column, kind, comment, _ in found.fetchall():
        tables.setdefault((schema, table), []).append((column, kind, comment or ""))
    return tables


def expected(connection: duckdb.DuckDBPyConnection, marts: list[Mart]) -> Tables:
    """Return the tables that a copy has if it is written now."""
    built = described(connection, "source")
    tables: Tables = {}
    for mart in marts:
        key = mart.schema, mart.name
        columns = [(name, kind, mart.columns.get(name, "")) for name, kind, _ in built.get(key, [])[1:]]
        tables[key] = [("", "", mart.description), *columns]
    return tables


def sorted_runs(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Return of how many sorted runs a table consists, by the first column of one in 1,000 rows.

    A query for one user or merchant reads some rows of every run.
    """
    values = f"select #1 as value, lag(#1) over (order by rowid) as previous from {relation} where rowid % 1000 = 0"
    return 1 + int(connection.execute(f"select count(*) from ({values}) where value < previous").fetchall()[0][0])


def changed_dates(
    connection: duckdb.DuckDBPyConnection, marts: list[Mart], built: dict[str, Fingerprints], folder: Path
) -> Changes | None:
    """Return the dates of each mart whose rows in the copy differ from those ``built``; None if it needs all rows."""
    if not can_be_updated(connection, marts, folder):
        return None
    changes = {}
    for mart in marts:
        new = built[mart.name]
        try:
            old = fingerprints(connection, f"published.{mart.relation}", mart.day)
        except duckdb.Error:
            return None  # damaged
        days = [day for day in {**new, **old} if new.get(day) != old.get(day)]
        if days:
            changes[mart.name] = sorted(days, key=str)
    return changes


def write_whole(connection: duckdb.DuckDBPyConnection, marts: list[Mart], copy: Path) -> None:
    """Write the marts of `source` to the new file ``copy``.

    Rows are sorted. That takes a tenth longer and makes queries for one user or merchant many times faster.
    """
    with attached(connection, copy):
        for mart in marts:
            copied = f"copy.{mart.relation}"
            connection.execute(f'create schema if not exists copy."{mart.schema}"')
            connection.execute(f"create table {copied} as from source.{mart.relation} order by all")
            connection.execute(f"comment on table {copied} is {sql_text(mart.description)}")
            for name, description in mart.columns.items():
                connection.execute(f'comment on column {copied}."{name}" is {sql_text(description)}')


def write_changes(
    connection: duckdb.DuckDBPyConnection, marts: list[Mart], changes: Changes, published: Path, copy: Path
) -> None:
    """Write ``published`` to the new file ``copy``, with ``changes`` replaced by the rows of `source`."""
    shutil.copyfile(published, copy)
    with attached(connection, copy):
        connection.execute("begin")
        for mart in marts:
            if days := changes.get(mart.name):
                rows = f"{mart.relation} where {is_on(days)}"
                connection.execute(f"delete from copy.{rows}")
                connection.execute(f"insert into copy.{mart.relation} from source.{rows} order by all")
        connection.execute("commit")


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, copy: Path) -> Iterator[None]:
    """Attach the file ``copy`` as `copy`. At the end it is complete, without a WAL."""
    connection.execute(f"attach {sql_text(copy)} as copy (storage_version {sql_text(storage_version())})")
    yield
    connection.execute("checkpoint copy")
    connection.execute("detach copy")


def parquet_fingerprints(
    connection: duckdb.DuckDBPyConnection, marts: list[Mart], built: dict[str, Fingerprints]
) -> Iterator[tuple[Mart, str]]:
    """Yield each mart with a fingerprint of its columns and rows."""
    tables = described(connection, "published")
    for mart in marts:
        yield mart, digest(tables[mart.schema, mart.name], sorted(map(str, built[mart.name].items())))


def is_older(file: Path, age: timedelta) -> bool:
    """Return whether ``file`` was written at least ``age`` ago. If it is missing or of the future, it was."""
    return not (file.exists() and 0 <= time.time() - file.stat().st_mtime < age.total_seconds())


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.publish", description="Publish the marts of a complete build for BI tools."
    )
    parser.add_argument("--whole", action="store_true", help="write all rows, not only the dates that have changed")
    options = parser.parse_args(arguments)
    database, folder = database_path(), published_path()
    manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")
    try:
        published = publish(database, manifest, folder, whole=options.whole)
    except (NotBuiltError, duckdb.Error, OSError) as error:
        why = why_nothing_is_usable(database) if isinstance(error, NotBuiltError) else ""
        print(f"Nothing was published: {why or explained(error)}", file=sys.stderr)
        return 1
    print(f"Published for BI tools: {(folder / COPY).resolve()}")
    if not published.whole:
        print(f"  {counted(len(set().union(*published.changed.values())), 'date')} changed")
    print(f"  and as Parquet: {', '.join(mart.name for mart in published.marts)}")
    for file in sorted({*folder.glob("*.parquet")} - {folder / f"{mart.name}.parquet" for mart in published.marts}):
        print(f"{file} is not a mart any more; delete it if nobody reads it", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
