"""Load files on disk into DuckDB, in one transaction."""

import errno
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from flyer_analytics.dbt_profile import memory_limit, storage_version
from flyer_analytics.explained import explained
from flyer_analytics.load.columns import quoted_event_columns, raw_tables
from flyer_analytics.load.files import DiskFile, on_disk, usable
from flyer_analytics.load.formats import FORMATS
from flyer_analytics.load.formats.batch import Batch, Rows
from flyer_analytics.load.outcome import EmptyFileError, FileError, LoadError, Outcome, Rejection, Say
from flyer_analytics.load.unpack import link_or_copy
from flyer_analytics.text import counted

# Files are read many at a time. If one of them is damaged, they are read again in halves.
BATCH_FILES = 2000
BATCH_BYTES = 2**28


def load(path: str, database: Path, say: Say) -> Outcome:
    """Load the new files at ``path`` into ``database``. Files that cannot be loaded keep no others from loading.

    Raises LoadError if nothing can be loaded. The tables have then no new rows.
    """
    outcome = Outcome()
    return load_files(usable(on_disk(path, say, outcome), path, say, outcome), database, say, outcome)


def load_files(files: Sequence[DiskFile], database: Path, say: Say, outcome: Outcome) -> Outcome:
    """Load ``files`` as `load` does, and return the ``outcome``, to which this adds."""
    try:
        with connect(database) as connection, scratch_folder(database) as scratch:
            Load(connection, scratch, files, say, outcome).run()
    except (duckdb.Error, OSError) as error:
        raise LoadError(f"Nothing was loaded into {database}: {explained(error)}") from error
    except RuntimeError as error:  # so DuckDB reports Ctrl-C
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from None
    return outcome


def connect(database: Path) -> duckdb.DuckDBPyConnection:
    """Open the database with the settings of dbt."""
    connection = duckdb.connect(
        str(database), config={"memory_limit": memory_limit(), "storage_compatibility_version": storage_version()}
    )
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"set enable_progress_bar = {is_terminal()}")
    return connection


@contextmanager
def scratch_folder(database: Path) -> Iterator[Path]:
    """Yield a new folder beside the database, which this process has open."""
    prefix = f".loading-{database.name}-"
    for left_behind in database.absolute().parent.glob(f"{escape(prefix)}*"):  # by a load that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    with TemporaryDirectory(prefix=prefix, dir=database.absolute().parent) as folder:
        yield Path(folder)


def is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


class Load:
    """One load. A file's number is its place in ``files``."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        files: Sequence[DiskFile],
        say: Say,
        outcome: Outcome,
    ) -> None:
        self.connection = connection
        self.scratch = scratch
        self.files = files
        self.say = say
        self.outcome = outcome
        self.refused: dict[int, FileError] = {}
        self.fingerprints: dict[int, str] = {}
        self.notes: dict[int, str] = {}
        self.batches = 0
        self.done = 0  # bytes
        self.to_do = 0

    def run(self) -> None:
        self.create_raw_tables()
        new = self.unknown_files()
        self.outcome.already_loaded = len(self.files) - len(new)
        self.to_do = 2 * self.size(new)  # each file is read, then inserted
        if new:
            self.say(f"Reading {counted(len(new), 'file')}, {self.size(new) / 1e6:,.1f} MB")
        read = [rows for batch in self.batched(new) for rows in self.read(batch)]
        twins = self.twins()
        self.report_refused()
        # One transaction, so that a load that is killed leaves nothing.
        self.query("begin")
        loaded_at = self.query("""
            select greatest(now() at time zone 'UTC', max(_loaded_at) + interval 1 microsecond) from raw.loaded_files
        """)[0][0]
        for rows in read:
            self.insert(rows, twins, loaded_at)
        messages = self.record(twins, loaded_at)
        self.outcome.require_usable_lines()
        self.query("commit")
        for message in messages:
            self.say(message)
        if not self.query("select exists (from raw.flyer_events)")[0][0]:
            self.say("No events are loaded yet, so the models still read the sample")

    def report_refused(self) -> None:
        """Say which files are empty, and note the problems of others. Raises LoadError if there is nothing else."""
        for file, problem in sorted(self.refused.items()):
            message = f"{self.files[file].name} {problem}"
            if isinstance(problem, EmptyFileError):
                self.say(message)
            else:
                self.outcome.problems.append(message)
        if not (self.fingerprints or self.outcome.already_loaded or self.outcome.problems):
            raise LoadError("Nothing to load: all files are empty")

    def size(self, files: Iterable[int]) -> int:
        """Return the size of files in bytes."""
        return sum(self.files[file].size for file in files)

    def show_progress(self, files: Iterable[int]) -> None:
        """In a terminal, add files to what is done. For single statements that take long, DuckDB shows its own bar."""
        self.done += self.size(files)
        if is_terminal():
            self.say(f"{self.done / self.to_do:4.0%}")

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    # ---------- which files
    def create_raw_tables(self) -> None:
        """Create the raw tables, and the columns of them, that do not exist."""
        self.query("create schema if not exists raw")
        for table, columns in raw_tables().items():
            definitions = [f'"{name}" {kind}' for name, kind in columns.items()]
            self.query(f"create table if not exists raw.{table} ({', '.join(definitions)})")
            for definition in definitions:
                self.query(f"alter table raw.{table} add column if not exists {definition}")

    def unknown_files(self) -> list[int]:
        """Return the files that are not known by name, size and time of change."""
        known = {
            *self.query(
                "select file, size_bytes, modified_at from raw.loaded_files where file in (select unnest(?))",
                [file.name for file in self.files],
            )
        }
        return [
            number for number, file in enumerate(self.files) if (file.name, file.size, file.modified_at) not in known
        ]

    def twins(self) -> dict[int, str]:
        """Return the names under which the content of files is already loaded, or will be by this load."""
        found = self.query(
            "select fingerprint, file from raw.loaded_files where fingerprint in (select unnest(?))",
            [*self.fingerprints.values()],
        )
        loaded: dict[str, str] = dict(found)
        twins = {}
        for file, fingerprint in sorted(self.fingerprints.items()):
            if fingerprint in loaded:
                twins[file] = loaded[fingerprint]
            else:
                loaded[fingerprint] = self.files[file].name
        return twins

    # ---------- reading, outside of the transaction, which an unreadable file would end
    def batched(self, files: Sequence[int]) -> Iterator[list[int]]:
        """Yield the files of each format in batches."""
        for kind in FORMATS:
            batch: list[int] = []
            size = 0
            for file in files:
                if self.files[file].format != kind:
                    continue
                size += self.files[file].size
                if batch and (len(batch) == BATCH_FILES or size > BATCH_BYTES):
                    yield batch
                    batch, size = [], self.files[file].size
                batch.append(file)
            if batch:
                yield batch

    def read(self, files: Sequence[int]) -> list[Rows]:
        """Read files of one format. Those that cannot be loaded are refused."""
        self.batches += 1
        paths = {file: path for file in files if (path := self.plain_path(file))}
        if not paths:
            return []
        try:
            batch = Batch(self.connection, str(self.batches), dict(paths), self.refuse, self.outcome.is_stream)
            found = list(FORMATS[self.files[files[0]].format or ""](batch))
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            readable = [*paths]
            if len(readable) == 1:
                name = self.files[readable[0]].name
                message = str(error).splitlines()[0].replace(str(paths[readable[0]]), name)
                self.refuse(readable[0], FileError(f"cannot be read, is it damaged? {message}"))
                return []
            half = len(readable) // 2
            return self.read(readable[:half]) + self.read(readable[half:])
        finally:
            for path in paths.values():
                if not path.is_symlink():
                    path.unlink(missing_ok=True)
        self.show_progress(files)
        for rows in found:
            # The same messages again are other messages of a stream.
            is_stream = self.outcome.is_stream
            self.fingerprints |= (
                {file: self.files[file].name for file in rows.files} if is_stream else rows.fingerprints
            )
            if rows.ignored:
                self.notes.update(dict.fromkeys(rows.files, f"; ignored columns: {', '.join(rows.ignored)[:200]}"))
        return found

    def plain_path(self, file: int) -> Path | None:
        """Return a path for the content of a file that DuckDB can read; None if the file is refused."""
        path = self.scratch / f"{file}.{self.files[file].format}"
        path.unlink(missing_ok=True)
        try:
            link_or_copy(self.files[file], path)
        except FileError as problem:
            self.refuse(file, problem)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            self.refuse(file, FileError(f"cannot be read: {error.strerror}"))
        else:
            return path
        path.unlink(missing_ok=True)
        return None

    def refuse(self, file: int, problem: FileError) -> None:
        self.refused[file] = problem

    # ---------- writing
    def insert(self, rows: Rows, twins: dict[int, str], loaded_at: datetime) -> None:
        self.show_progress(rows.files)
        files = [file for file in rows.files if file not in twins]
        if not files:
            return
        source = f"({rows.query}) as records inner join (select unnest(?) as file, unnest(?) as name) using (file)"
        names = [self.files[file].name for file in files]
        columns = ", ".join(quoted_event_columns())
        inserted = self.query(
            f"""
            insert into raw.flyer_events ({columns}, _source_file, _source_row, _loaded_at)
            select {columns}, name, line_number, ? from {source} where reason is null
            """,
            *(loaded_at, files, names),
        )
        # Most files have no bad line, and need not be taken apart again for it.
        if inserted == self.query(f"select count(*) from {source}", files, names):
            return
        self.query(
            f"""
            insert into raw.rejected_lines (file, line_number, line, reason, _loaded_at)
            select name, line_number, line, reason, ? from {source} where reason is not null
            """,
            *(loaded_at, files, names),
        )

    def record(self, twins: dict[int, str], loaded_at: datetime) -> list[str]:
        """Record the files that were read, and count rows and lines. Returns what to say of each."""
        rows, rejected = (
            dict(self.query(f"select {name}, count(*) from raw.{table} where _loaded_at = ? group by all", loaded_at))
            for table, name in (("flyer_events", "_source_file"), ("rejected_lines", "file"))
        )
        self.outcome.files = len(self.fingerprints) - len(twins)
        self.outcome.already_loaded += len(twins)
        self.outcome.rows = sum(rows.values())
        self.outcome.rejections = self.rejections(loaded_at)
        messages = []
        for number, fingerprint in sorted(self.fingerprints.items()):
            file, twin = self.files[number], twins.get(number)
            counts = [0, 0] if twin else [rows.get(file.name, 0), rejected.get(file.name, 0)]
            self.query(
                """
                insert into raw.loaded_files
                    (file, fingerprint, rows_loaded, lines_rejected, size_bytes, modified_at, _loaded_at)
                values (?, ?, ?, ?, ?, ?, ?)
                """,
                *(file.name, None if twin else fingerprint, *counts, file.size, file.modified_at, loaded_at),
            )
            came = f"{counted(counts[0], 'row')}, {counted(counts[1], 'rejected line')}{self.notes.get(number, '')}"
            messages.append(f"{file.name}: {f'skipped, its content is already loaded as {twin}' if twin else came}")
        return messages

    def rejections(self, loaded_at: datetime) -> list[Rejection]:
        """Return the reasons for which lines of this load were rejected, the most frequent first."""
        found = self.query(
            """
            select reason, count(*), first(file), first(line_number), first(line)
            from (from raw.rejected_lines where _loaded_at = ? order by file, line_number)
            group by reason
            order by count(*) desc, reason
            """,
            loaded_at,
        )
        return [Rejection(*row) for row in found]
