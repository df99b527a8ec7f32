"""Export cleansed events and views as Parquet by date: ``python -m flyer_analytics.export FOLDER``.

From DuckDB into a folder. A date has one file, which is replaced atomically if the date's rows differ from those in the
file, so a reader never finds a date missing, doubled or half written. Which rows a file has is known by the fingerprint
in its metadata: whatever happened since the last export, the files equal the tables.

From Redshift into S3, by the dbt operation `export_events`: UNLOAD replaces all named dates.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from flyer_analytics.built import (
    NotBuiltError,
    catalog_name,
    complete_build,
    digest,
    fingerprint_in,
    fingerprints,
    is_on,
    read_nodes,
    replace_parquet,
    scratch_folder,
)
from flyer_analytics.dbt_profile import database_path
from flyer_analytics.explained import explained
from flyer_analytics.text import counted

MODELS = ("stg_flyer_app__events", "int_flyer_views")
FILE = "data_0.parquet"
SCRATCH_PREFIX = ".exporting-"
ALL = date.min, date.max
DATES_AT_A_TIME = 30  # whose rows are computed by one query


@dataclass(frozen=True)
class Exported:
    """What an export did to the files of a model."""

    folder: Path
    written: list[date]
    removed: list[date]  # dates that have no rows any more
    unchanged: int

    def __str__(self) -> str:
        dates = f"{counted(len(self.written), 'date')} written, {self.unchanged:,} unchanged"
        return f"{self.folder}: {dates}" + (f", {len(self.removed):,} removed" if self.removed else "")


def parse_dates(text: str) -> tuple[date, date]:
    """Return the first and last date of ``2018-10-01`` or ``2018-10-01/2018-10-31``. Raises ValueError otherwise."""
    days = [date.fromisoformat(day) for day in text.split("/")]
    if len(days) > 2 or days != sorted(days):
        raise ValueError(text)
    return days[0], days[-1]


def export(database: Path, manifest: Path, folder: Path, dates: tuple[date, date] = ALL) -> list[Exported]:
    """Bring the files of ``dates`` in ``folder`` up to date with the complete build in ``database``.

    Raises NotBuiltError if there is no complete build, and duckdb.Error or OSError if a file cannot be read or written.
    Files written until then are complete, and the next export goes on.
    """
    nodes = read_nodes(manifest)
    catalog = catalog_name(database)
    exported = []
    with (
        scratch_folder(folder, SCRATCH_PREFIX) as scratch,
        complete_build(database, nodes, scratch, catalog) as connection,
    ):
        for name in MODELS:
            schema = nodes[f"model.flyer_analytics.{name}"]["schema"]
            relation = f'"{catalog}"."{schema}"."{name}"'
            exported.append(export_model(connection, relation, folder / name, dates, scratch))
    return exported


def export_model(
    connection: duckdb.DuckDBPyConnection, relation: str, folder: Path, dates: tuple[date, date], scratch: Path
) -> Exported:
    first, last = dates
    columns = connection.execute(f"describe {relation}").fetchall()
    found = fingerprints(connection, relation, condition=f"date between '{first}' and '{last}'")
    wanted = {day: digest(columns, found[day]) for day in sorted(day for day in found if day)}
    changed = [day for day in wanted if fingerprint_in(connection, file_of(folder, day)) != wanted[day]]
    for start in range(0, len(changed), DATES_AT_A_TIME):
        days = changed[start : start + DATES_AT_A_TIME]
        connection.execute(f"create or replace temp table exported as from {relation} where {is_on(days)}")
        for day in days:
            file = file_of(folder, day)
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = f"select * exclude (date) from exported where {is_on([day])} order by all"
            replace_parquet(connection, rows, file, wanted[day], scratch)
            remove_parquet(file.parent, keep=file)
    removed = [day for day in dates_of(folder) if first <= day <= last and day not in wanted]
    for day in removed:
        remove_parquet(file_of(folder, day).parent)
    return Exported(folder, changed, removed, len(wanted) - len(changed))


def file_of(folder: Path, day: date) -> Path:
    return folder / f"date={day}" / FILE


def dates_of(folder: Path) -> list[date]:
    """Return the dates that have a folder in ``folder``."""
    found = []
    for path in folder.glob("date=????-??-??"):
        try:
            found.append(date.fromisoformat(path.name.removeprefix("date=")))
        except ValueError:
            continue  # not by an export
    return sorted(found)


def remove_parquet(folder: Path, keep: Path | None = None) -> None:
    """Remove the Parquet files in ``folder`` but the one to keep, and the folder if nothing else is in it."""
    for file in folder.glob("*.parquet"):
        if file != keep:
            file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.export",
        description="Write cleansed events and views as Parquet by date: from DuckDB, or from Redshift to S3.",
    )
    parser.add_argument("folder", help="a folder, for DuckDB; s3://bucket/folder for Redshift")
    parser.add_argument("--dates", help="2018-10-01, or a range 2018-10-01/2018-10-31 (default: all dates)")
    parser.add_argument(
        "--target",
        default=os.environ.get("DBT_TARGET", "redshift"),
        help="dbt target for exports to S3 (default: DBT_TARGET, or redshift)",
    )
    options = parser.parse_args(arguments)
    if not options.folder.strip():
        parser.error("the folder is empty")
    try:
        dates = parse_dates(options.dates) if options.dates else None
    except ValueError:
        parser.error(
            f"--dates {options.dates}: give a date, 2018-10-01, or a first and a last one, 2018-10-01/2018-10-31"
        )
    if options.folder.startswith("s3://"):
        return unload(options.target, options.folder, dates)
    manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")
    try:
        for exported in export(database_path(), manifest, Path(options.folder), dates or ALL):
            print(exported)
    except (NotBuiltError, duckdb.Error, OSError) as error:
        print(f"Not all was exported: {explained(error)}", file=sys.stderr)
        return 1
    return 0


def unload(target: str, folder: str, dates: tuple[date, date] | None) -> int:
    """Export from Redshift, and return the exit status."""
    from flyer_analytics.dbt_process import Dbt, DbtError  # here, since dbt takes seconds to import

    try:
        said = Dbt(target).operation("export_events", path=folder, dates="/".join(map(str, dates or ())))
    except DbtError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(said))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
