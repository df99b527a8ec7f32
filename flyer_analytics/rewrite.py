"""Files of events, or exports of them, written again without the lines of one user.

A line of text becomes a blank one, which loading skips, so that the numbers of all other lines stay. From Parquet the
rows are removed. A gzip header keeps its name, in which objects of the lake have their offsets.
"""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from flyer_analytics.durable import sync
from flyer_analytics.load.columns import event_columns
from flyer_analytics.load.disk import Load
from flyer_analytics.load.files import DiskFile, described
from flyer_analytics.load.formats.batch import Rows
from flyer_analytics.load.formats.parquet import OPTIONS, as_text
from flyer_analytics.load.outcome import EmptyFileError, FileError, LoadError, Outcome
from flyer_analytics.load.unpack import OPENERS, link_or_copy
from flyer_analytics.text import sql_text

GZIP_NAME = re.compile(rb"\x1f\x8b\x08\x08.{6}([^\0]*)\0", re.DOTALL)
GZIP_HEADER_BYTES = 512
TEMPORARY = ".erasing-"  # loading leaves alone what begins with a dot


@dataclass(frozen=True)
class User:
    """How to find a user in files, as SQL that cleansing and `find_user` share."""

    is_of_user: str
    """Condition on the columns of an event."""
    line_mentions_user: str
    """Condition on `line`, for lines that cannot be read as an event."""


@dataclass(frozen=True)
class Rewritten:
    """A file that held a user."""

    name: str
    lines: int
    fingerprint: str | None
    """Of the new content, by which loading knows it; None if nothing could be loaded from it."""


def rewrite(name: str, user: User, *, change: bool) -> Rewritten | None:
    """Rewrite the file ``name``, a path or `s3://bucket/key`, without the lines of ``user``.

    Only counts them unless ``change``. Returns None if there are none. The file is replaced atomically.

    Raises FileError if it cannot be read as events, and LoadError or OSError if it cannot be read or written at all.
    """
    if name.startswith("s3://"):
        return rewrite_object(name, user, change=change)
    path = Path(name).resolve()
    target = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        with TemporaryDirectory(prefix=TEMPORARY, dir=path.parent) as scratch:
            lines = write_without(path, target, user, Path(scratch), change=change)
            if not lines:
                return None
            fingerprint = fingerprint_of(target, Path(scratch)) if change else None
        if change:
            shutil.copymode(path, target)
            sync(target)
            os.replace(target, path)  # noqa: PTH105
            sync(path.parent)
        return Rewritten(name, lines, fingerprint)
    finally:
        target.unlink(missing_ok=True)


def rewrite_object(url: str, user: User, *, change: bool) -> Rewritten | None:
    from flyer_analytics.load import s3  # here, since it takes a while and files on disk need none of it

    store, errors = s3.Store(), Outcome()
    with s3.s3_errors(errors), TemporaryDirectory() as folder:
        bucket, key = s3.split(url)
        path, target = (Path(folder, name, Path(key).name) for name in ("old", "new"))
        path.parent.mkdir()
        target.parent.mkdir()
        store.client.download_file(bucket, key, str(path))
        lines = write_without(path, target, user, Path(folder), change=change)
        if not lines:
            return None
        if change:
            store.client.upload_file(str(target), bucket, key)
        return Rewritten(url, lines, store.file(url).fingerprint)


def write_without(path: Path, target: Path, user: User, scratch: Path, *, change: bool) -> int:
    """Write ``path`` to ``target`` without the lines of ``user``, if it has any and ``change``. Returns how many."""
    file = disk_file(path)
    if file.format == "parquet":
        return write_parquet_without(path, target, user, change=change)
    numbers = line_numbers(file, user, scratch)
    if numbers and change:
        plain = scratch / "plain"
        link_or_copy(file, plain)
        with plain.open("rb") as source, packed_as(path, file.compression, target) as write:
            for number, line in enumerate(source, 1):
                write(b"\n" if number in numbers else line)
    return len(numbers)


def disk_file(path: Path) -> DiskFile:
    outcome = Outcome()
    file = described(str(path), outcome)
    if not file:
        raise LoadError(outcome.problems[0])
    return file


def line_numbers(file: DiskFile, user: User, scratch: Path) -> set[int]:
    """Return the numbers of the user's lines, from 1. An event may span several."""
    condition = f"{user.is_of_user} or (reason is not null and {user.line_mentions_user})"
    with read(file, scratch) as (connection, found):
        return {
            first + offset
            for rows in found
            for first, line in connection.execute(
                f"select line_number, line from ({rows.query}) where {condition}"
            ).fetchall()
            for offset in range(1 + (line or "").count("\n"))
        }


def fingerprint_of(path: Path, scratch: Path) -> str | None:
    """Return by which fingerprint loading knows a file, or None if it cannot be loaded."""
    try:
        with read(disk_file(path), scratch) as (_, found):
            return next((rows.fingerprints[0] for rows in found), None)
    except FileError:
        return None


@contextmanager
def read(file: DiskFile, scratch: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Rows]]]:
    """Read a file as loading does. Raises FileError if it cannot be loaded, unless it is empty."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        load = Load(connection, scratch, [file], lambda _: None, Outcome(is_stream=True))
        load.to_do = 2 * file.size
        found = load.read([0])
        if 0 in load.refused and not isinstance(load.refused[0], EmptyFileError):
            raise load.refused[0]
        yield connection, found


@contextmanager
def packed_as(path: Path, compression: str | None, target: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes to ``target``, compressed as ``path`` is."""
    with target.open("wb") as plain:
        if compression == "gz":
            with path.open("rb") as old:
                name = GZIP_NAME.match(old.read(GZIP_HEADER_BYTES))
            with gzip.GzipFile(name[1].decode("latin-1") if name else "", "wb", fileobj=plain, mtime=0) as packed:
                yield packed.write
        elif compression:
            with OPENERS[compression](plain, "wb") as packed:
                yield packed.write
        else:
            yield plain.write


def write_parquet_without(path: Path, target: Path, user: User, *, change: bool) -> int:
    """Do for Parquet what `write_without` does. A file without a column user_id holds no user."""
    source = f"read_parquet({sql_text(path)}, {OPTIONS}, file_row_number = true)"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        try:
            kinds = {name.lower(): kind for name, kind, *_ in connection.execute(f"describe from {source}").fetchall()}
            if "user_id" not in kinds:
                return 0
            texts = ", ".join(
                f'{as_text(name, kinds[name]) if name in kinds else "cast(null as varchar)"} as "{name}"'
                for name in event_columns()
            )
            connection.execute(
                "create table of_user as select file_row_number from"
                f" (select file_row_number, {texts} from {source}) where {user.is_of_user}"
            )
            rows = int(connection.execute("select count(*) from of_user").fetchall()[0][0])
            if rows and change:
                connection.execute(
                    f"copy (select * exclude (file_row_number, flyer_analytics_path) from {source}"
                    f" where file_row_number not in (from of_user)) to {sql_text(target)} (format parquet)"
                )
        except duckdb.Error as error:
            raise FileError(f"cannot be read, is it damaged? {str(error).splitlines()[0]}") from error
    return rows
