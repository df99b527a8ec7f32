"""Copy the marts to where BI tools read them: ``python -m flyer_analytics.publish``.

DuckDB lets one process write and no other read meanwhile, so nobody but dbt should open the database itself. What
others open is a copy in a folder of its own: one DuckDB file with every mart, and a Parquet file for each. New files
are written aside and take the place of the old ones in one step. Who has an old one open goes on reading it, who opens
one afterwards reads the new, and a copy that fails or is killed changes nothing.
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

COPY = "flyer_marts.duckdb"
ASIDE = ".publishing-"  # what a publish is writing, or left when it was killed
STORAGE_VERSION = "v1.4.0"  # which DuckDB 1.4 and everything later reads
EVENTS = "stg_flyer_app__events_keyed"  # of whose loads every mart of a whole build has all rows
IS_WHOLE = """
    select settings is not null and completed_to is not distinct from (select max(_loaded_at) from {events})
    from {state}
"""


class NotBuiltError(Exception):
    """The database holds no complete build."""


@dataclass(frozen=True)
class Mart:
    """A model that the project makes public, as dbt's manifest describes it."""

    schema: str
    name: str
    description: str
    columns: dict[str, str]  # descriptions by name

    @property
    def relation(self) -> str:
        return f'"{self.schema}"."{self.name}"'


def database_path() -> Path:
    """Return where dbt builds."""
    return Path(os.environ.get("FLYER_DUCKDB_PATH", "flyer_analytics.duckdb"))


def published_path() -> Path:
    """Return the folder of the published copy: where ``FLYER_PUBLISHED_PATH`` says, else beside the database."""
    named = os.environ.get("FLYER_PUBLISHED_PATH")
    return Path(named) if named else database_path().parent / "published"


def public_marts(nodes: dict[str, dict[str, object]]) -> Iterator[Mart]:
    """Yield the public models among ``nodes`` of a manifest, by name."""
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


def text(value: object) -> str:
    """Return ``value`` as a text of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(database: Path, events_schema: str, marts: list[Mart], folder: Path) -> None:
    """Write the marts of ``database`` into ``folder``.

    Rows are sorted, which for a tenth more time makes questions about one user or one merchant many times faster.
    Raises NotBuiltError, and duckdb.Error when a file cannot be read or written.
    """
    memory = os.environ.get("FLYER_DUCKDB_MEMORY", "12GB")
    with duckdb.connect(config={"memory_limit": memory, "temp_directory": str(folder / "spilled")}) as connection:
        connection.execute(f"attach {text(database)} as source (read_only)")
        events, state = (f'source."{events_schema}".{name}' for name in (EVENTS, "build_state"))
        try:
            is_whole = connection.execute(IS_WHOLE.format(events=events, state=state)).fetchone()
        except duckdb.CatalogException as error:
            raise NotBuiltError(f"{database} has not been built") from error
        if is_whole != (True,):
            raise NotBuiltError(f"{database} is not built whole: the last build failed, was killed or left models out")
        connection.execute(f"attach {text(folder / COPY)} as copy (storage_version {text(STORAGE_VERSION)})")
        for mart in marts:
            copied = f"copy.{mart.relation}"
            connection.execute(f'create schema if not exists copy."{mart.schema}"')
            connection.execute(f"create table {copied} as from source.{mart.relation} order by all")
            connection.execute(f"comment on table {copied} is {text(mart.description)}")
            for name, description in mart.columns.items():
                connection.execute(f'comment on column {copied}."{name}" is {text(description)}')
            connection.execute(f"copy {copied} to {text(folder / f'{mart.name}.parquet')} (compression zstd)")
        connection.execute("checkpoint copy")
        connection.execute("detach copy")


def publish(database: Path, manifest: Path, folder: Path) -> list[Mart]:
    """Replace what ``folder`` holds by the marts of ``database``, those that ``manifest`` calls public.

    Each file is replaced in one step and is whole at any moment. Raises NotBuiltError when the database is not built
    whole, duckdb.Error and OSError when a file cannot be read or written; the copy then stays as it was.
    """
    if not (database.exists() and manifest.exists()):
        raise NotBuiltError(f"{database if manifest.exists() else manifest} is not there")
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    marts = list(public_marts(nodes))
    folder.mkdir(parents=True, exist_ok=True)
    for left_by_the_killed in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(left_by_the_killed, ignore_errors=True)
    with TemporaryDirectory(prefix=ASIDE, dir=folder) as scratch:
        aside = Path(scratch)
        write(database, nodes[f"model.flyer_analytics.{EVENTS}"]["schema"], marts, aside)
        written = [COPY, *(f"{mart.name}.parquet" for mart in marts)]
        for name in written:
            # A tool that opened it for writing would lock everybody else out.
            (aside / name).chmod(0o444)
            sync(aside / name)
        # Left by a tool that wrote to the copy and died, it would make the new file unreadable.
        (folder / f"{COPY}.wal").unlink(missing_ok=True)
        for name in written:
            os.replace(aside / name, folder / name)  # noqa: PTH105
        sync(folder)
    return marts


def main() -> int:
    database, folder = database_path(), published_path()
    manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")
    try:
        marts = publish(database, manifest, folder)
    except (NotBuiltError, duckdb.Error, OSError) as error:
        print(f"Nothing was published: {error}\nRun `make build` first, to the end.", file=sys.stderr)
        return 1
    print(f"Published for BI tools: {(folder / COPY).resolve()}")
    print(f"  and as Parquet: {', '.join(mart.name for mart in marts)}")
    for file in sorted({*folder.glob("*.parquet")} - {folder / f"{mart.name}.parquet" for mart in marts}):
        print(f"{file} is of no mart of today's; delete it when nobody reads it", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
