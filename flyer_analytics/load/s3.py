"""Load files from S3 into Redshift.

SQL cannot list S3, and COPY does not say which file a row came from. So this lists the files, leaves out those whose
content is already loaded, writes one manifest for all new files of the same shape, and runs the dbt operation
`load_events`, which executes one COPY per manifest, all in one transaction.
"""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from flyer_analytics.dbt_process import Dbt, DbtError
from flyer_analytics.load.columns import IS_ARRAY, event_columns, header, require_columns
from flyer_analytics.load.files import File, before_pattern, pattern_of, usable, visible
from flyer_analytics.load.outcome import FileError, LoadError, Outcome, Rejection, Say
from flyer_analytics.load.unpack import first_bytes, unpack
from flyer_analytics.text import counted

TEXT = "varchar(65535)"
# Types that the columns of a Parquet file may have, by DuckDB's and Redshift's names.
PARQUET_TYPES = {
    "VARCHAR": TEXT,
    "BLOB": TEXT,
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",  # load_events reads it as a timestamp in UTC
}
FIRST_BYTES = 2**16  # of a text file, in which its first line is looked for
REQUESTS_AT_A_TIME = 16
NO_FAULT_OF_FILES = ("Another load", "S3ServiceException", "permission denied", "connection")

Result = TypeVar("Result")


@dataclass(frozen=True)
class S3File(File):
    bucket: str
    key: str
    etag: str

    @property
    def fingerprint(self) -> str:
        return f"{self.etag}-{self.size}"


@dataclass(frozen=True)
class Shape:
    """What files have in common that one COPY can load."""

    format: str
    compression: str | None
    delimiter: str | None
    columns: tuple[tuple[str, str], ...]
    """Names and Redshift types of the table into which the files are copied."""


def load(path: str, dbt: Dbt, manifests: str | None, say: Say) -> Outcome:
    """Load the new files at ``path``; manifests are written to the folder ``manifests``.

    Files that cannot be loaded keep no others from loading. Raises LoadError if nothing can be loaded.
    """
    store, outcome = Store(), Outcome()
    with s3_errors(outcome):
        files = usable(store.files(path, say), path, say, outcome)
    return load_files(files, store, dbt, manifests, say, outcome)


def load_files(
    files: Sequence["S3File"], store: "Store", dbt: Dbt, manifests: str | None, say: Say, outcome: Outcome
) -> Outcome:
    """Load ``files`` as `load` does, and return the ``outcome``, to which this adds."""
    if not manifests:
        raise LoadError(
            "COPY reads manifests, which are written to S3: set their folder, FLYER_S3_MANIFESTS=s3://bucket/folder/"
        )
    split(manifests)
    with s3_errors(outcome):
        Load(store, dbt, manifests, say, outcome).run(files)
    return outcome


@contextmanager
def s3_errors(outcome: Outcome) -> Iterator[None]:
    """Raise errors of S3 as LoadError, with the problems of the ``outcome``."""
    try:
        yield
    except (BotoCoreError, ClientError, LoadError) as error:
        reason = str(error) if isinstance(error, LoadError) else f"S3: {error}"
        raise LoadError("\n    ".join([reason, *outcome.problems])) from error


class Load:
    """One load."""

    def __init__(self, store: "Store", dbt: Dbt, manifests: str, say: Say, outcome: Outcome) -> None:
        self.store = store
        self.dbt = dbt
        self.manifests = manifests
        self.say = say
        self.outcome = outcome

    def run(self, files: Sequence[S3File]) -> None:
        new = self.unknown(files)
        self.outcome.already_loaded = len(files) - len(new)
        shapes = self.results(partial(self.store.shape, is_stream=self.outcome.is_stream), new)
        try:
            self.copy(shapes)
        except DbtError as error:
            # COPY gives up at a damaged file and does not always say at which.
            if any(words in str(error) for words in NO_FAULT_OF_FILES):
                raise
            self.say(f"COPY failed; looking for damaged files in {sum(file.size for file in shapes) / 1e6:,.1f} MB")
            sound = self.results(self.store.require_sound, [*shapes])
            if len(sound) == len(shapes):
                raise
            self.copy({file: shapes[file] for file in sound})
        self.outcome.require_usable_lines()

    def unknown(self, files: Sequence[S3File]) -> list[S3File]:
        """Return the files whose content is not loaded yet, each content once."""
        arguments = [{"file": file.name, "fingerprint": file.fingerprint} for file in files]
        twins = {twin["file"]: twin["twin"] for twin in self.dbt.answer("log_loaded_files", files=arguments)}
        new: dict[str, S3File] = {}
        for file in files:
            twin = twins.get(file.name) or new.setdefault(file.fingerprint, file).name
            if twin != file.name:
                self.say(f"{file.name}: skipped, its content is already loaded as {twin}")
        return list(new.values())

    def results(self, function: Callable[[S3File], Result], files: Sequence[S3File]) -> dict[S3File, Result]:
        """Return what ``function`` returns for each file. Files for which it raises FileError are noted as problems."""

        def attempt(file: S3File) -> Result | FileError:
            try:
                return function(file)
            except FileError as problem:
                return problem
            except ClientError as error:
                return FileError(f"cannot be read: {error}")

        found = {}
        with ThreadPoolExecutor(REQUESTS_AT_A_TIME) as pool:
            for file, result in zip(files, pool.map(attempt, files), strict=True):
                if isinstance(result, FileError):
                    self.outcome.problems.append(f"{file.name} {result}")
                else:
                    found[file] = result
        return found

    def copy(self, shapes: dict[S3File, Shape]) -> None:
        """Write a manifest for the files of each shape, and load them all."""
        if not shapes:
            return
        groups: dict[Shape, list[S3File]] = defaultdict(list)
        for file, shape in shapes.items():
            groups[shape].append(file)
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        copies = []
        for number, (shape, files) in enumerate(groups.items(), 1):
            manifest = f"{self.manifests.rstrip('/')}/{started}-{number}.manifest"
            entries = [{"url": file.name, "mandatory": True, "meta": {"content_length": file.size}} for file in files]
            self.store.write(manifest, json.dumps({"entries": entries}))
            copies.append(
                {
                    "manifest": manifest,
                    "source": files[0].name if len(files) == 1 else manifest,
                    "format": shape.format,
                    "compression": shape.compression,
                    "delimiter": shape.delimiter,
                    "columns": shape.columns,
                    "files": [{"file": file.name, "fingerprint": file.fingerprint} for file in files],
                }
            )
        loaded = self.dbt.answer("load_events", copies=copies, keeps_rejected=self.outcome.is_stream)
        self.outcome.rows = loaded["rows"]
        self.outcome.rejections = by_reason(loaded["rejections"])
        self.outcome.files = len(shapes)
        for source in loaded["uncounted"]:
            self.say(f"{source}: Redshift does not say how many lines it rejected, see sys_load_history")
        for file in shapes:
            logged_name = file.name.encode()[:256].decode(errors="ignore")  # as Redshift cuts it
            self.say(f"{file.name}: {counted(loaded['rejected_by_file'].get(logged_name, 0), 'rejected line')}")


def by_reason(rejections: list[dict[str, Any]]) -> list[Rejection]:
    """Return rejections of files with the same reason as one, with the file that has most of them."""
    lines: dict[str, int] = defaultdict(int)
    examples: dict[str, dict[str, Any]] = {}
    for rejection in rejections:  # those of most lines come first
        lines[rejection["reason"]] += rejection["lines"]
        examples.setdefault(rejection["reason"], rejection)
    return [Rejection(**example | {"lines": lines[reason]}, line=None) for reason, example in examples.items()]


class Store:
    """S3."""

    def __init__(self) -> None:
        self.client = boto3.client("s3")

    def files(self, path: str, say: Say) -> list[S3File]:
        """Return the files that ``path`` names: itself, those that match it, those below it, or a manifest's entries.

        Raises LoadError if there are none.
        """
        bucket, key = split(path)
        if key.endswith(".manifest"):
            return self.manifest(path)
        prefix = before_pattern(key)
        listed = [file for file in self.listing(bucket, prefix) if not file.key.endswith("/")]
        if itself := [file for file in listed if file.key == key]:
            return itself
        root = prefix.rpartition("/")[0]
        found = [file for file in listed if pattern_of(key).fullmatch(file.key)]
        if not found:
            root = key.rstrip("/")
            found = [file for file in listed if not root or file.key.startswith(f"{root}/")]
        if not found:
            raise LoadError(
                f"Nothing to load at {path}: no object with this key, none that matches, no folder with objects in it"
            )
        kept = {*visible((file.name for file in found), f"s3://{bucket}/{root}".rstrip("/"), say)}
        return [file for file in found if file.name in kept]

    def manifest(self, url: str) -> list[S3File]:
        """Return the files that a manifest of COPY lists. Raises LoadError if it is none, or a file is missing."""
        try:
            urls = [entry["url"] for entry in json.loads(self.read(*split(url)))["entries"]]
            with ThreadPoolExecutor(REQUESTS_AT_A_TIME) as pool:
                return list(pool.map(self.file, urls))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadError(f"{url} is not a manifest of COPY: {error!r}") from error

    def listing(self, bucket: str, prefix: str) -> Iterator[S3File]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                name = f"s3://{bucket}/{entry['Key']}"
                yield S3File(name, entry["Size"], bucket, entry["Key"], entry["ETag"].strip('"'))

    def file(self, url: str) -> S3File:
        bucket, key = split(url)
        try:
            head = self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise LoadError(f"{url} cannot be read: {error}") from error
        return S3File(url, head["ContentLength"], bucket, key, head["ETag"].strip('"'))

    def read(self, bucket: str, key: str, part: str = "0-") -> bytes:
        """Return part of an object in bytes, ``first-last`` or ``-length``."""
        body: bytes = self.client.get_object(Bucket=bucket, Key=key, Range=f"bytes={part}")["Body"].read()
        return body

    def write(self, url: str, text: str) -> None:
        bucket, key = split(url)
        self.client.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def shape(self, file: S3File, *, is_stream: bool = False) -> Shape:
        """Return the shape of a file, or of one with messages of a stream. Raises FileError if it cannot be loaded."""
        delimiter = None
        match file.format:
            case "csv":
                delimiter, names = header(self.beginning(file).partition("\n")[0].rstrip("\r"))
                found = [(name, TEXT) for name in names]
            case "json":
                if not is_stream and self.beginning(file).lstrip().startswith("["):
                    raise FileError(IS_ARRAY)
                found = [(name, TEXT) for name in event_columns()]
            case "parquet":
                found = self.parquet_columns(file)
                require_columns([name for name, _ in found])
            case other:
                raise FileError(f"is {other}, which COPY cannot load")
        # Only the columns of an event need their names.
        columns = tuple(
            (name if name in event_columns() else f"ignored_{number}", kind)
            for number, (name, kind) in enumerate(found, 1)
        )
        return Shape(file.format or "", file.compression, delimiter, columns)

    def beginning(self, file: S3File) -> str:
        """Return the beginning of a text file. Bytes that are not UTF-8 become NUL.

        Raises FileError if it is damaged.
        """
        start = self.read(file.bucket, file.key, f"0-{FIRST_BYTES - 1}")
        if file.compression:
            start = first_bytes(start, file.compression, FIRST_BYTES)
        return start.decode("utf-8-sig", errors="replace").replace("\ufffd", "\0")

    def parquet_columns(self, file: S3File) -> list[tuple[str, str]]:
        """Return the columns of a Parquet file, which DuckDB reads from a copy of the file's end in a file of its size.

        Raises FileError if it is no Parquet, or COPY cannot load a column.
        """
        length = int.from_bytes(self.read(file.bucket, file.key, "-8")[:4], "little") + 8
        with tempfile.NamedTemporaryFile(suffix=".parquet") as local:
            local.seek(max(file.size - length, 0))
            local.write(self.read(file.bucket, file.key, f"-{length}"))
            local.flush()
            try:
                with duckdb.connect() as connection:
                    found = connection.execute("describe from read_parquet(?)", [local.name]).fetchall()
                    units = "select name from parquet_schema(?) where logical_type like '%NANOS=NanoSeconds%'"
                    nanoseconds = connection.execute(units, [local.name]).fetchall()
            except duckdb.Error:
                raise FileError("is not a Parquet file") from None
        if nanoseconds:
            raise FileError(
                f"has column {nanoseconds[0][0]} in nanoseconds, which COPY cannot load: write microseconds"
            )
        columns = []
        for name, kind, *_ in found:
            redshift_type = kind.lower() if kind.startswith("DECIMAL(") else PARQUET_TYPES.get(kind)
            if not redshift_type:
                remedy = "write it as text" if name.lower() in event_columns() else "remove it"
                raise FileError(f"has column {name} of type {kind}, which COPY cannot load: {remedy}")
            columns.append((name.lower(), redshift_type))
        return columns

    def require_sound(self, file: S3File) -> None:
        """Read all of a compressed or Parquet file. Raises FileError if it is damaged."""
        if not (file.compression or file.format == "parquet"):
            return
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, "copy.parquet")
            self.client.download_file(file.bucket, file.key, str(local))
            if file.compression:
                unpack(local, file.compression, Path(os.devnull))
                return
            try:
                with duckdb.connect() as connection:
                    connection.execute("select bit_xor(hash(columns(*))) from read_parquet(?)", [str(local)]).fetchall()
            except duckdb.Error as error:
                raise FileError(f"is damaged: {str(error).splitlines()[0]}") from None


def split(url: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``."""
    parts = urlsplit(url, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise LoadError(f"{url} is not in S3: Redshift loads from s3://bucket/folder/")
    return parts.netloc, url.removeprefix(f"s3://{parts.netloc}").removeprefix("/")
