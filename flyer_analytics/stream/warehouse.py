"""Where the loop loads, builds and publishes: a database of DuckDB, or Redshift."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from flyer_analytics.dbt_process import Dbt
from flyer_analytics.dbt_profile import database_path
from flyer_analytics.load import disk, s3
from flyer_analytics.load.files import described
from flyer_analytics.load.outcome import LoadError, Outcome
from flyer_analytics.publish import publish, published_path

PARQUET_EVERY = timedelta(minutes=10)  # readers who want the newest rows read the DuckDB file
REQUESTS_AT_A_TIME = 16
REJECTED = """
    select
        staged_to,
        (
            select count(*) from staging.stg_flyer_app__rejected
            where _loaded_at > coalesce($since::timestamptz::timestamp, staged_to - interval 1 microsecond)
        )
    from staging.build_state
"""


@dataclass
class Loaded:
    """What came of a load."""

    rows: int = 0
    rejected: int = 0
    problems: list[str] = field(default_factory=list)
    """Of each file that was not loaded, its name and why."""


class Warehouse(ABC):
    """A database. Methods that write raise LoadError."""

    def __init__(self, dbt: Dbt, *, is_new: bool = False) -> None:
        self.dbt = dbt
        self.is_new = is_new

    def loaded(self, prefix: str) -> tuple[list[str], bool]:
        """Return the last loaded object in each folder below ``prefix``, and whether any events are loaded."""
        answer = self.dbt.answer("log_loaded", prefix=prefix)
        return answer["newest"], answer["has_events"]

    @abstractmethod
    def load(self, names: Sequence[str]) -> Loaded:
        """Load objects of the lake by name, in one transaction."""

    def stamp(self) -> object:
        """Return what has changed if another process has written to the database, where that can be seen."""
        return None

    def built(self, _since: datetime | None) -> tuple[datetime | None, int]:
        """Return up to which load the models are complete, and how many rows of the loads after ``since`` they reject.

        Where that costs nothing; otherwise None and 0. Without ``since``, only the rows of the last load are counted.
        """
        return None, 0

    @abstractmethod
    def publish(self) -> None:
        """Publish the marts of a complete build. Raises duckdb.Error, OSError or NotBuiltError."""


class DuckDb(Warehouse):
    """The database of profiles.yml's target `duckdb`."""

    def __init__(self, dbt: Dbt) -> None:
        self.database = database_path().resolve()
        super().__init__(dbt, is_new=not self.database.exists())
        self.manifest = Path(os.environ.get("DBT_TARGET_PATH", "target"), "manifest.json")

    def load(self, names: Sequence[str]) -> Loaded:
        outcome = Outcome(is_stream=True)
        files = [file for name in names if (file := described(name, outcome))]
        disk.load_files(files, self.database, lambda _: None, outcome)
        return Loaded(outcome.rows, outcome.rejected, outcome.problems)

    def stamp(self) -> object:
        with suppress(FileNotFoundError):
            found = self.database.stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
        return None

    def built(self, since: datetime | None) -> tuple[datetime | None, int]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            found = connection.execute(REJECTED, {"since": since}).fetchall()
        staged_to, rejected = found[0] if found else (None, 0)
        return staged_to and staged_to.replace(tzinfo=UTC), rejected

    def publish(self) -> None:
        publish(self.database, self.manifest, published_path(), parquet_every=PARQUET_EVERY)


class Redshift(Warehouse):
    """Redshift, from S3 or from a stream. Its marts are public as soon as they are built."""

    def load(self, names: Sequence[str]) -> Loaded:
        store, outcome = s3.Store(), Outcome(is_stream=True)

        def found(name: str) -> s3.S3File | None:
            try:
                return store.file(name)
            except LoadError as error:
                outcome.problems.append(str(error))
                return None

        with ThreadPoolExecutor(REQUESTS_AT_A_TIME) as pool:
            files = [file for file in pool.map(found, names) if file]
        s3.load_files(files, store, self.dbt, os.environ.get("FLYER_S3_MANIFESTS"), lambda _: None, outcome)
        return Loaded(outcome.rows, outcome.rejected, outcome.problems)

    def load_stream(self) -> Loaded:
        """Load the new messages of the stream that `create_stream` reads."""
        message = self.dbt.operation("load_stream")[-1]
        rows, rejected = re.fullmatch(r"Loaded (\d+) rows from the stream(?:; (\d+) messages .*)?", message).groups()  # type: ignore[union-attr]
        return Loaded(int(rows), int(rejected or 0))

    def publish(self) -> None:
        """Nothing is left to do."""
