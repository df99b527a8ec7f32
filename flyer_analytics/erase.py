"""Erase a user everywhere: ``python -m flyer_analytics.erase USER_ID --yes``.

Without --yes it only says where the user is. docs/erasing.md says what it does, and what it cannot reach.

It can be killed at any moment: files are rewritten first, then the database has forgotten the user in one transaction,
and the dates whose figures are to be recomputed are kept there until they are. Running it again goes on.
"""

import argparse
import mmap
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from flyer_analytics.built import NotBuiltError, catalog_name
from flyer_analytics.dbt_process import Dbt
from flyer_analytics.dbt_profile import database_path, memory_limit, storage_version
from flyer_analytics.durable import sync
from flyer_analytics.explained import explained
from flyer_analytics.load.files import on_disk
from flyer_analytics.load.outcome import FileError, LoadError, Outcome
from flyer_analytics.lock import LockedError, add_wait, writer_lock
from flyer_analytics.publish import publish, published_path
from flyer_analytics.rewrite import Rewritten, User, rewrite
from flyer_analytics.text import counted, sql_text

SHORTEST_WORD = 8  # characters; a shorter id may be part of anything
OVER_ALL_USERS = ("int_flyer_daily+", "time_spine_daily")
INCOMPLETE = "The last build did not end, or more was staged since. Run `make build` first, then this again"


@dataclass
class Places:
    """Where a user is."""

    user_id: str
    build: str
    """What `find_user` says of the models: complete, incomplete, none, or erasing if an erasure was killed."""
    was_erased: bool
    rows: dict[str, int]
    """Of each table that holds the user."""
    files: list[Rewritten] = field(default_factory=list)
    """With the user's lines."""
    others: list[Path] = field(default_factory=list)
    """Files that hold the id somewhere in their bytes."""
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.files or self.others)

    def __str__(self) -> str:
        return "\n".join(
            [
                *(f"  {table}: {counted(rows, 'row')}" for table, rows in self.rows.items()),
                *(f"  {file.name}: {counted(file.lines, 'line')}" for file in self.files),
                *(f"  {file}" for file in self.others),
                *(f"  {problem}" for problem in self.problems),
            ]
        )


def erase(dbt: Dbt, user_id: str, paths: Sequence[str] = ()) -> Places:
    """Erase a user from the database of ``dbt``, from all files that were loaded from, and from those at ``paths``.

    Returns where the user still is. Raises LoadError, also if the user is nowhere.
    """
    places = find(dbt, user_id, paths, change=True)
    require_known(places)
    files = [vars(file) for file in places.files if file.fingerprint]
    dbt.operation("erase_user", user=user_id, files=files)
    if places.build != "none":
        result = dbt.invoke("run", "--select", *OVER_ALL_USERS)
        if not result.success:
            raise LoadError(dbt.reason(result))
    dbt.operation("finish_erasing")
    if dbt.target == "duckdb":
        compact(database_path().resolve())
        problems = published_anew()
    else:
        problems = vacuumed(dbt)
    left = find(dbt, user_id, paths)
    left.problems = [*dict.fromkeys([*places.problems, *problems, *left.problems])]
    return left


def require_known(places: Places) -> None:
    """Raise LoadError if the user is nowhere, and was never erased."""
    if not places and not places.was_erased:
        raise LoadError(f"No user {places.user_id} was found, neither in the database nor in its files")


def find(dbt: Dbt, user_id: str, paths: Sequence[str] = (), *, change: bool = False) -> Places:
    """Return where a user is; with ``change``, files are rewritten without the user.

    Raises LoadError if the database cannot be read, or with ``change`` has no complete build.
    """
    found: dict[str, Any] = dbt.answer("find_user", user=user_id)
    places = Places(found["user_id"], found["build"], found["was_erased"], found["rows"])
    if change and places.build == "incomplete":
        raise LoadError(INCOMPLETE)
    user = User(found["is_of_user"], found["line_mentions_user"])
    for name in sorted({*files_of(found["files"], places), *files_at(paths, places)}):
        try:
            if file := rewrite(name, user, change=change):
                places.files.append(file)
        except FileError as problem:
            places.problems.append(f"{name} {problem}")
        except (LoadError, OSError) as error:
            places.problems.append(explained(error))
    known = {Path(file.name) for file in places.files}
    holding = files_holding(places.user_id, folders(dbt.target, paths))
    places.others = [path for path in holding if path.absolute() not in known]
    return places


def files_of(loaded: Iterable[str], places: Places) -> Iterator[str]:
    """Yield the files that were loaded from and still exist. Partitions of a stream are none."""
    for name in loaded:
        if name.startswith("s3://"):
            yield from files_at([name], places)
        elif name.startswith("/") and Path(name).is_file():
            yield name


def files_at(paths: Iterable[str], places: Places) -> Iterator[str]:
    """Yield the files that paths name, as loading does."""
    for path in paths:
        outcome = Outcome()
        try:
            if path.startswith("s3://"):
                from flyer_analytics.load import s3  # here, since files on disk need none of it

                with s3.s3_errors(outcome):
                    found = [file.name for file in s3.Store().files(path, print) if file.format]
            else:
                found = [file.name for file in on_disk(path, print, outcome) if file.format and file.size]
        except LoadError as error:
            places.problems.append(str(error))
        else:
            yield from found
        places.problems += outcome.problems


def folders(target: str, paths: Sequence[str]) -> list[Path]:
    """Return the files and folders in which the bytes of an id are looked for."""
    dbt = [Path(os.environ.get("DBT_TARGET_PATH", "target")), Path(os.environ.get("DBT_LOG_PATH", "logs"))]
    database = database_path().resolve()
    own = [database, database.with_name(f"{database.name}.wal"), published_path()] if target == "duckdb" else []
    return [*own, *dbt, *(Path(path) for path in paths if not path.startswith("s3://"))]


def files_holding(user_id: str, places: Iterable[Path]) -> Iterator[Path]:
    """Yield the files at ``places`` with the bytes of an id. Those of short ids are part of anything."""
    if len(user_id) < SHORTEST_WORD:
        return
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.stat().st_size:
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    if content.find(user_id.encode()) >= 0:
                        yield path


def compact(database: Path) -> None:
    """Write the database anew: in DuckDB's file, deleted rows stay until their blocks are used again."""
    new = database.with_name(f".erasing-{database.name}")
    new.unlink(missing_ok=True)
    try:
        with duckdb.connect(config={"memory_limit": memory_limit(), "temp_directory": f"{new}.spilled"}) as connection:
            name = f'"{catalog_name(database)}"'
            connection.execute(f"attach {sql_text(database)} as {name}")
            connection.execute(f'attach {sql_text(new)} as "new copy" (storage_version {sql_text(storage_version())})')
            connection.execute(f'copy from database {name} to "new copy"')
            connection.execute('checkpoint "new copy"')
            connection.execute(f"checkpoint {name}")
        sync(new)
        os.replace(new, database)  # noqa: PTH105
        sync(database.parent)
    except (duckdb.Error, OSError) as error:
        raise LoadError(f"{database} could not be written anew: {explained(error)}") from error
    finally:
        new.unlink(missing_ok=True)


def vacuumed(dbt: Dbt) -> list[str]:
    """Remove deleted rows from Redshift's disks. Returns what is wrong."""
    try:
        dbt.operation("vacuum_erased")
    except LoadError as error:
        return [f"VACUUM failed, so deleted rows stay on disk until Redshift vacuums by itself: {error}"]
    return []


def published_anew() -> list[str]:
    """Publish all rows anew, if any are published. Returns what is wrong."""
    if not published_path().exists():
        return []
    manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")
    try:
        publish(database_path(), manifest, published_path(), whole=True)
    except (NotBuiltError, duckdb.Error, OSError) as error:
        return [f"{published_path()} was not published anew: {explained(error)}"]
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Erase a user, or those who are back. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.erase",
        description="Erase a user everywhere, or say where the user is (docs/erasing.md).",
        epilog="exit status: 0 erased, or found without --yes; 1 not found, not erased, or still in the places listed",
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("user_id", nargs="?", help="the user's id, in any spelling that was delivered")
    who.add_argument("--again", action="store_true", help="erase those again who were erased and came back with a load")
    parser.add_argument("--yes", action="store_true", help="erase; it cannot be undone")
    parser.add_argument(
        "--files",
        nargs="+",
        default=[],
        metavar="PATH",
        help="further files, patterns, folders, s3://bucket/folder/: exports, files not loaded, the lake",
    )
    parser.add_argument("--target", default=os.environ.get("DBT_TARGET", "duckdb"), choices=["duckdb", "redshift"])
    add_wait(parser)
    options = parser.parse_args(arguments)
    # dbt's log and results would hold the id.
    os.environ |= {"DBT_LOG_LEVEL_FILE": "none", "DBT_WRITE_JSON": "false"}
    try:
        if options.target == "duckdb" and not database_path().exists():
            raise LoadError(f"{database_path()} does not exist. Name another database in FLYER_DUCKDB_PATH")
        with writer_lock("erase", options.wait, options.target):
            dbt = Dbt(options.target)
            users = dbt.answer("find_erased_users") if options.again else [options.user_id]
            if not users:
                print("No erased user is back")
            return max([run(dbt, user, options.files, yes=options.yes) for user in users], default=0)
    except (LoadError, LockedError) as error:
        print(error, file=sys.stderr)
        return 1


def run(dbt: Dbt, user_id: str, paths: Sequence[str], *, yes: bool) -> int:
    """Erase one user, or say where the user is, and return the exit status."""
    if not yes:
        places = find(dbt, user_id, paths)
        require_known(places)
        print(f"User {places.user_id} is in:\n{places}\nNothing was erased. To erase the user: --yes")
        return 0
    left = erase(dbt, user_id, paths)
    if left or left.problems:
        print(f"Erased, but look at:\n{left}", file=sys.stderr)
        return 1
    print("Erased, and found nowhere any more. What this cannot reach: docs/erasing.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
