"""What formats read and return: batches of files, and queries for their rows."""

import glob
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from flyer_analytics.dbt_profile import memory_limit
from flyer_analytics.load.outcome import FileError
from flyer_analytics.text import sql_text

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Rows:
    """The rows of those files of a batch that have the same columns."""

    files: list[int]
    """Their numbers."""
    query: str
    """One row per record: file, line_number, columns of an event, line, and reason if it cannot be loaded.

    It runs in the transaction, where an error would end the whole load: it must not fail, whatever the files hold.
    """
    fingerprints: dict[int, str]
    """Of the content of each file."""
    ignored: list[str]
    """Columns that are no column of an event."""


@dataclass(frozen=True)
class Batch:
    """Files of one format, to be read together.

    Each has a number, and a path with that stem, since DuckDB takes some characters of names for patterns. Text is not
    compressed there, and its lines end with line feeds.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    """For temporary tables."""
    paths: dict[int, Path]
    """By number."""
    refuse: Callable[[int, FileError], None]
    """Called with the number of a file that cannot be loaded, and why."""
    is_stream: bool = False
    """Whether lines are messages of a stream, of which any may be bad, and say nothing of the others."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def grouped(self, key_of: Callable[[int], Key]) -> Iterable[tuple[Key, list[int]]]:
        """Return the files by key. Those for which ``key_of`` raises FileError are refused."""
        groups: dict[Key, list[int]] = defaultdict(list)
        for file in self.paths:
            try:
                groups[key_of(file)].append(file)
            except FileError as problem:
                self.refuse(file, problem)
        return groups.items()


@contextmanager
def separate(batch: Batch) -> Iterator[Batch]:
    """Yield the batch with an instance of DuckDB of its own."""
    with duckdb.connect(config={"memory_limit": memory_limit()}) as connection:
        connection.execute("set timezone = 'UTC'")
        yield replace(batch, connection=connection)


def path_list(paths: Iterable[Path]) -> str:
    """Return paths as an SQL list, each of which DuckDB takes for one file and not for a pattern."""
    return f"[{', '.join(sql_text(glob.escape(str(path))) for path in paths)}]"


def fingerprint(*columns: str) -> str:
    """Return an SQL aggregate that identifies rows by their numbers and ``columns``.

    Hashed twice, since DuckDB combines the hashes of columns by an exclusive or, which would cancel out between rows.
    """
    return f"concat(count(*), '-', to_hex(bit_xor(hash(hash(line_number, {', '.join(columns)})))))"


def number_of(path: str) -> str:
    """Return SQL for the number of a file, given SQL for its path."""
    return f"cast(parse_filename({path}, true) as integer)"


def is_one_of(files: Iterable[int]) -> str:
    """Return an SQL condition on `file`."""
    return f"file in ({', '.join(map(str, files))})"
