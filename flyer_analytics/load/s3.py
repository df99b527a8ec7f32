"""Load events from S3 into Redshift: ``python -m flyer_analytics.load s3://bucket/events/``.

SQL cannot list S3, and COPY does not say which file a row came from. So this program lists the files, leaves out those
whose content is already loaded, writes one manifest for all new files of the same format and columns, and runs the dbt
operation ``load_events``, which executes one COPY per manifest, all in one transaction.
"""

import argparse
import csv
import fnmatch
import json
import os
import re
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
import duckdb
from botocore.exceptions import BotoCoreError, ClientError
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg

FORMAT = re.compile(r"[.](?:(csv|json|jsonl|ndjson)([.]gz)?|(parquet))$", re.IGNORECASE)
TEXT = "varchar(65535)"
# Types that the columns of a Parquet file may have, by DuckDB's and Redshift's names.
PARQUET_TYPES = {
    "VARCHAR": TEXT,
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}

Columns = tuple[tuple[str, str], ...]


class LoadError(Exception):
    """An error to report to the user, one or more lines."""


@dataclass(frozen=True)
class File:
    """An object in S3."""

    bucket: str
    key: str
    size: int  # bytes
    etag: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def fingerprint(self) -> str:
        return f"{self.etag}-{self.size}"

    @property
    def format(self) -> str | None:
        found = FORMAT.search(self.key)
        if not found:
            return None
        ending = (found[1] or found[3]).lower()
        return ending if ending in ("csv", "parquet") else "json"

    @property
    def is_gzipped(self) -> bool:
        return self.key.lower().endswith(".gz")


class Store:
    """S3."""

    def __init__(self) -> None:
        self.client = boto3.client("s3")

    def files(self, path: str) -> list[File]:
        """The files that ``path`` names: an object, a pattern, a folder with its subfolders, or a manifest's entries.

        Raises LoadError if there are none.
        """
        bucket, key = split(path)
        if key.endswith(".manifest"):
            found = [self.file(entry["url"]) for entry in json.loads(self.read(bucket, key))["entries"]]
        else:
            listed = list(self.listing(bucket, re.split(r"[*?[]", key)[0]))
            # Patterns work as in DuckDB: * matches within a folder, ** across folders.
            depths = range(1025) if "**" in key else (key.count("/"),)
            found = (
                [file for file in listed if file.key == key]
                or [file for file in listed if fnmatch.fnmatchcase(file.key, key) and file.key.count("/") in depths]
                or [file for file in listed if not key or file.key.startswith(key.rstrip("/") + "/")]
            )
        files = [file for file in found if not file.key.endswith("/")]
        if not files:
            raise LoadError(
                f"Nothing to load at {path}: no object with this key, none that matches, no folder with objects in it"
            )
        return files

    def listing(self, bucket: str, prefix: str) -> Iterator[File]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield File(bucket, entry["Key"], entry["Size"], entry["ETag"].strip('"'))

    def file(self, url: str) -> File:
        bucket, key = split(url)
        head = self.client.head_object(Bucket=bucket, Key=key)
        return File(bucket, key, head["ContentLength"], head["ETag"].strip('"'))

    def read(self, bucket: str, key: str, part: str = "0-") -> bytes:
        """Part of an object in bytes, ``first-last`` or ``-length``."""
        body: bytes = self.client.get_object(Bucket=bucket, Key=key, Range=f"bytes={part}")["Body"].read()
        return body

    def write(self, url: str, text: str) -> None:
        bucket, key = split(url)
        self.client.put_object(Bucket=bucket, Key=key, Body=text.encode())


def split(url: str) -> tuple[str, str]:
    """The bucket and the key of ``s3://bucket/key``."""
    parts = urlsplit(url, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise LoadError(f"{url} is not in S3: Redshift loads from s3://bucket/folder/")
    return parts.netloc, url.removeprefix(f"s3://{parts.netloc}").removeprefix("/")


def columns_of(store: Store, file: File, event_columns: list[str]) -> Columns:
    """Names and Redshift types of the columns of the table into which the file is copied.

    Raises LoadError if the file lacks a column of an event.
    """
    if not file.size:
        raise LoadError(f"{file.url} is empty")
    if file.format == "json":
        return tuple((name, TEXT) for name in event_columns)
    found = parquet_columns(store, file) if file.format == "parquet" else header_columns(store, file)
    names = [name for name, _ in found]
    has = ", ".join(names)[:200]
    if missing := [name for name in event_columns if name not in names]:
        raise LoadError(f"{file.url} has no column {', '.join(missing)}; its columns are: {has}")
    if any(names.count(name) > 1 for name in event_columns):
        raise LoadError(f"{file.url} has duplicate column names; its columns are: {has}")
    # Only the columns of an event need their names.
    return tuple(
        (name if name in event_columns else f"ignored_{number}", kind) for number, (name, kind) in enumerate(found, 1)
    )


def header_columns(store: Store, file: File) -> list[tuple[str, str]]:
    """The columns in the first line of a CSV file."""
    start = store.read(file.bucket, file.key, f"0-{2**16 - 1}")
    try:
        if file.is_gzipped:
            start = zlib.decompressobj(wbits=31).decompress(start, 2**16)
        line = start.decode("utf-8-sig", errors="ignore" if len(start) == 2**16 else "strict").splitlines()[0]
    except (zlib.error, UnicodeDecodeError, IndexError):
        raise LoadError(f"{file.url} has no header line in valid UTF-8") from None
    return [(name.strip().lower(), TEXT) for name in next(csv.reader([line]))]


def parquet_columns(store: Store, file: File) -> list[tuple[str, str]]:
    """The columns of a Parquet file, which DuckDB reads from a copy of the file's end in a local file of its size."""
    length = int.from_bytes(store.read(file.bucket, file.key, "-8")[:4], "little") + 8
    with tempfile.NamedTemporaryFile(suffix=".parquet") as local:
        local.seek(max(file.size - length, 0))
        local.write(store.read(file.bucket, file.key, f"-{length}"))
        local.flush()
        try:
            with duckdb.connect() as connection:
                found = connection.execute("describe from read_parquet(?)", [local.name]).fetchall()
        except duckdb.Error:
            raise LoadError(f"{file.url} is not a Parquet file") from None
    for name, kind, *_ in found:
        if kind not in PARQUET_TYPES:
            raise LoadError(f"{file.url} has column {name} of type {kind}, which COPY cannot load: remove it")
    return [(name.lower(), PARQUET_TYPES[kind]) for name, kind, *_ in found]


class Dbt:
    """dbt in this process, with one target."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.said: list[str] = []
        self.errors: list[str] = []
        parsed = dbtRunner(callbacks=[self._hear]).invoke(["--log-level", "none", "parse", "--target", target])
        if not isinstance(parsed.result, Manifest):
            raise LoadError("\n".join(self.errors) or str(parsed.exception))
        self.runner = dbtRunner(manifest=parsed.result, callbacks=[self._hear])
        columns = parsed.result.sources["source.flyer_analytics.raw.flyer_events"].columns
        self.event_columns = [name for name in columns if not name.startswith("_")]

    def operation(self, operation: str, /, **arguments: Any) -> list[str]:
        """Run an operation and return the messages that it logged. Raises LoadError with its error message."""
        self.said.clear()
        self.errors.clear()
        options = ["--target", self.target, "--args", json.dumps(arguments)]
        result = self.runner.invoke(["--log-level", "none", "run-operation", operation, *options])
        if not result.success:
            raise LoadError("\n".join(self.errors) or str(result.exception))
        return self.said

    def _hear(self, event: EventMsg) -> None:
        if event.info.name == "JinjaLogInfo":
            self.said.append(event.info.msg)  # type: ignore[attr-defined]
        elif event.info.level == "error":
            self.errors.append(event.info.msg)  # type: ignore[attr-defined]


def new_files(files: list[File], dbt: Dbt, say: Callable[[str], None]) -> list[File]:
    """The files whose content is not loaded yet, each content once."""
    arguments = [{"file": file.url, "fingerprint": file.fingerprint} for file in files]
    twins = {twin["file"]: twin["twin"] for twin in json.loads(dbt.operation("log_loaded_files", files=arguments)[-1])}
    new: dict[str, File] = {}
    for file in files:
        twin = twins.get(file.url) or new.setdefault(file.fingerprint, file).url
        if twin != file.url:
            say(f"{file.url}: skipped, its content is already loaded as {twin}")
    return list(new.values())


def copies_of(
    store: Store, files: Iterable[File], event_columns: list[str], manifests: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write a manifest for the files of each format and set of columns.

    Returns the COPYs to run, and what is wrong with each file that cannot be loaded.
    """
    groups: dict[tuple[str | None, bool, Columns], list[File]] = defaultdict(list)
    problems = []
    for file in files:
        try:
            groups[file.format, file.is_gzipped, columns_of(store, file, event_columns)].append(file)
        except LoadError as problem:
            problems.append(str(problem))
    copies = []
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    for number, ((kind, is_gzipped, columns), group) in enumerate(groups.items(), 1):
        manifest = f"{manifests.rstrip('/')}/{started}-{number}.manifest"
        entries = [{"url": file.url, "mandatory": True, "meta": {"content_length": file.size}} for file in group]
        store.write(manifest, json.dumps({"entries": entries}))
        copies.append(
            {
                "manifest": manifest,
                "source": group[0].url if len(group) == 1 else manifest,
                "format": kind,
                "is_gzipped": is_gzipped,
                "columns": columns,
                "files": [{"file": file.url, "fingerprint": file.fingerprint} for file in group],
            }
        )
    return copies, problems


def load(path: str, dbt: Dbt, manifests: str | None, say: Callable[[str], None] = print) -> None:
    """Load the new files at ``path``. If some files cannot be loaded, raises LoadError after loading the others."""
    if not manifests:
        raise LoadError(
            "COPY reads manifests, which are written to S3: set their folder, FLYER_S3_MANIFESTS=s3://bucket/folder/"
        )
    split(manifests)
    store = Store()
    listed = store.files(path)
    files = [file for file in listed if file.format]
    for file in listed:
        if not file.format:
            say(f"{file.url}: skipped, unknown file extension")
    if not files:
        raise LoadError(
            f"Nothing to load at {path}: file names must end in .csv, .json, .jsonl, .ndjson (each optionally followed"
            " by .gz) or .parquet"
        )
    new = new_files(files, dbt, say)
    copies, problems = copies_of(store, new, dbt.event_columns, manifests)
    if copies:
        for message in dbt.operation("load_events", path=path, copies=copies):
            say(message)
    if len(new) < len(files):
        say(f"{len(files) - len(new)} of {len(files)} files were already loaded")
    if problems:
        raise LoadError("Could not load:\n    " + "\n    ".join(problems))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flyer_analytics.load", description=(__doc__ or "").split(":")[0])
    parser.add_argument("path", help="s3://bucket/...: an object, a folder, a pattern or a manifest (.manifest)")
    parser.add_argument("--target", default=os.environ.get("DBT_TARGET", "redshift"), help="default: DBT_TARGET")
    arguments = parser.parse_args()
    try:
        load(arguments.path, Dbt(arguments.target), os.environ.get("FLYER_S3_MANIFESTS"))
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"S3: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
