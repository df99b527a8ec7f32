"""The lake: Kafka messages in gzipped objects, each created once and never changed, in a folder or in S3.

    <lake>/<topic>/partition=00000/<first offset, 20 digits>.jsonl.gz

An object holds a partition's messages from its first offset to its last, one line per message. The next object begins
at the offset behind that, whether a message has this offset or not: all who write behind the same object compete for
one name, which only one of them gets. The last offset stands in the gzip header, so data and checkpoint are one atomic
object. The last object of a partition must never be deleted.
"""

import contextlib
import gzip
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from flyer_analytics.dbt_profile import database_path
from flyer_analytics.durable import sync
from flyer_analytics.stream.kafka import SettingError

FOLDER = re.compile(r"partition=(\d{5,})", re.ASCII)
NAME = re.compile(r"(\d{20})[.]jsonl[.]gz", re.ASCII)
# RFC 1952: 10 bytes, of which the fourth says that a name follows; then the name, up to a NUL.
HEADER = re.compile(
    rb"\x1f\x8b\x08\x08.{6}(?P<last>\d{20})-(?P<oldest>\d+)-(?P<newest>\d+)-(?P<messages>\d+)"
    rb"(?:-(?P<topic_id>[\w-]+))?[.]jsonl\0",
    re.DOTALL,
)
HEADER_BYTES = 128
LATEST_MS = 253402300799999  # the end of the year 9999, where Python's times end
COMPRESSION_LEVEL = 5
TEMPORARY = ".landing-"
TEMPORARY_SECS = 3600.0  # an older temporary file was left behind by a lander that was killed
# Two changes of a folder within this time may show the same time of change.
COARSE_MTIME_NS = 2 * 10**9


class LakeError(Exception):
    """The lake cannot be read or written now. The message names the object and says why."""


class TakenError(Exception):
    """There is an object with this name already: another lander writes the same partition."""


@dataclass(frozen=True)
class Entry:
    """An object as it is listed."""

    topic: str
    partition: int
    first_offset: int
    name: str
    """Its path or URL."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Content:
    """What the gzip header of an object says of its messages."""

    last_offset: int
    oldest_ms: int
    """Kafka's time of the oldest message, in milliseconds since 1970."""
    newest_ms: int
    messages: int
    topic_id: str | None
    """Kafka's id of the topic, if the broker has ids. A topic that is deleted and created again has another one."""

    @property
    def next_offset(self) -> int:
        return self.last_offset + 1

    @property
    def oldest(self) -> datetime:
        return utc(self.oldest_ms)

    @property
    def newest(self) -> datetime:
        return utc(self.newest_ms)

    def packed(self, lines: bytes | bytearray) -> bytes:
        """Return the object that holds ``lines``, each of which ends with a line feed."""
        parts = [f"{self.last_offset:020}", str(self.oldest_ms), str(self.newest_ms), str(self.messages)]
        name = "-".join([*parts, self.topic_id] if self.topic_id else parts)
        target = BytesIO()
        with gzip.GzipFile(f"{name}.jsonl", "wb", COMPRESSION_LEVEL, target, mtime=0) as file:
            file.write(lines)
        return target.getvalue()


@dataclass(frozen=True)
class LakeObject(Content, Entry):
    """An object with what its header says."""


def utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(milliseconds, LATEST_MS) / 1000, UTC)


def open_lake(url: str | None = None) -> "Lake":
    """Return the lake in a folder or at `s3://bucket/prefix`.

    By default ``FLYER_LAKE``, or else the folder `lake` beside the database. Raises SettingError if it is neither.
    """
    url = url or os.environ.get("FLYER_LAKE") or str(database_path().parent / "lake")
    if url.startswith("s3://"):
        return Lake(S3Store(url))
    if "://" in url:
        raise SettingError(f"FLYER_LAKE is {url}, but must be a folder or s3://bucket/prefix")
    return Lake(FolderStore(Path(url)))


class Lake:
    """A lake. Its methods raise LakeError if it cannot be read or written. Files of others in it are left alone."""

    def __init__(self, store: "Store") -> None:
        self.store = store

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic that have a folder."""
        return sorted(int(found[1]) for name in self.store.folders(topic) if (found := FOLDER.fullmatch(name)))

    def new_entries(self, topic: str, next_offsets: Mapping[int, int]) -> list[Entry]:
        """Return the objects that begin at the partitions' ``next_offsets`` (default 0) or behind them, in order."""
        return [
            entry
            for partition in self.partitions(topic)
            for entry in self.entries(topic, partition, next_offsets.get(partition, 0))
        ]

    def entries(self, topic: str, partition: int, offset: int = 0) -> Iterator[Entry]:
        """Yield the objects of a partition that begin at ``offset`` or behind it, in order."""
        is_complete = False
        while not is_complete:
            found, is_complete = self.page(topic, partition, offset)
            yield from found
            if found:
                offset = found[-1].first_offset + 1

    def page(self, topic: str, partition: int, offset: int) -> tuple[list[Entry], bool]:
        """Return the next objects that begin at ``offset`` or behind it, and whether these are all."""
        folder = folder_of(topic, partition)
        # Without the extension, this sorts before the name itself.
        found, is_complete = self.store.page(folder, after=f"{offset:020}")
        return [
            Entry(topic, partition, int(name[:20]), self.store.url(folder, name), size) for name, size in found
        ], is_complete

    def last(self, topic: str, partition: int) -> LakeObject | None:
        """Return the last object of a partition, which is its checkpoint, or None.

        S3 lists a page at a time, from the front: this skips ahead in growing steps, then halves the rest.
        """
        found, is_complete = self.page(topic, partition, 0)
        if not found:
            return None
        last, step = found[-1], 1 + found[-1].first_offset - found[0].first_offset
        end = None  # no object begins here or behind
        while not is_complete and (end is None or last.first_offset + 1 < end):
            offset = last.first_offset + step if end is None else (last.first_offset + end) // 2
            found, is_last_page = self.page(topic, partition, offset)
            if found:
                last, step, is_complete = found[-1], 2 * step, is_last_page
            else:
                end = offset
        return self.describe(last)

    def describe(self, entry: Entry) -> LakeObject:
        """Return an object with what its header says."""
        folder, name = folder_of(entry.topic, entry.partition), name_of(entry.first_offset)
        found = HEADER.match(self.store.beginning(folder, name) if entry.size else b"")
        if not found or int(found["last"]) < entry.first_offset:
            raise LakeError(
                f"{entry.name}: the gzip header has no offsets, so the lander did not write it. Move it away"
            )
        return LakeObject(
            **vars(entry),
            last_offset=int(found["last"]),
            oldest_ms=int(found["oldest"]),
            newest_ms=int(found["newest"]),
            messages=int(found["messages"]),
            topic_id=found["topic_id"].decode() if found["topic_id"] else None,
        )

    def create(self, topic: str, partition: int, first_offset: int, content: bytes) -> None:
        """Write an object, durably and at once. Raises TakenError if there is one that begins at this offset."""
        self.store.create(folder_of(topic, partition), name_of(first_offset), content)


def folder_of(topic: str, partition: int) -> str:
    return f"{topic}/partition={partition:05}"


def name_of(first_offset: int) -> str:
    return f"{first_offset:020}.jsonl.gz"


class Store(ABC):
    """Where objects are, by folder and name."""

    @abstractmethod
    def url(self, folder: str, name: str) -> str:
        """Return the path or URL of an object."""

    @abstractmethod
    def folders(self, parent: str) -> list[str]:
        """Return the names of the folders in a folder."""

    @abstractmethod
    def page(self, folder: str, after: str) -> tuple[list[tuple[str, int]], bool]:
        """Return the next names of objects behind ``after``, in order and with sizes, and whether these are all."""

    @abstractmethod
    def beginning(self, folder: str, name: str) -> bytes:
        """Return the first HEADER_BYTES of an object."""

    @abstractmethod
    def create(self, folder: str, name: str, content: bytes) -> None:
        """Write an object, durably and at once. Raises TakenError if the name is taken."""


class FolderStore(Store):
    """A folder on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.prepared: set[Path] = set()
        self.nothing_new: dict[str, tuple[str, int]] = {}
        """By folder: behind which name there was nothing, and the folder's time of change."""

    def url(self, folder: str, name: str) -> str:
        return str(self.root / folder / name)

    def folders(self, parent: str) -> list[str]:
        path = self.root / parent
        with disk_errors(f"{path} cannot be read"), contextlib.suppress(FileNotFoundError):
            return [entry.name for entry in os.scandir(path) if entry.is_dir()]
        return []

    def page(self, folder: str, after: str) -> tuple[list[tuple[str, int]], bool]:
        """Return all names. A folder in which nothing was new is read again only when it has changed."""
        path = self.root / folder
        found = []
        with disk_errors(f"{path} cannot be read"), contextlib.suppress(FileNotFoundError):
            changed_ns = path.stat().st_mtime_ns
            if self.nothing_new.get(folder) == (after, changed_ns):
                return [], True
            for entry in os.scandir(path):
                if entry.name > after and NAME.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        found.append((entry.name, entry.stat().st_size))
            if not found and time.time_ns() - changed_ns > COARSE_MTIME_NS:
                self.nothing_new[folder] = (after, changed_ns)
        return sorted(found), True

    def beginning(self, folder: str, name: str) -> bytes:
        path = self.root / folder / name
        with disk_errors(f"{path} cannot be read"), path.open("rb") as file:
            return file.read(HEADER_BYTES)

    def create(self, folder: str, name: str, content: bytes) -> None:
        path = self.root / folder / name
        with disk_errors(f"{path} cannot be written"):
            self.prepare(path.parent)
            temporary = path.with_name(f"{TEMPORARY}{uuid4()}")
            try:
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            sync(path.parent)

    def prepare(self, folder: Path) -> None:
        """Create a folder, durably, and remove what killed landers left in it."""
        if folder in self.prepared and folder.exists():
            return
        new = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in new:
            sync(path.parent)
        for path in folder.glob(f"{TEMPORARY}*"):
            if time.time() - path.stat().st_mtime > TEMPORARY_SECS:
                path.unlink(missing_ok=True)
        self.prepared.add(folder)


def link(temporary: Path, path: Path) -> None:
    """Give a file its name. Raises TakenError if the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A network drive may have linked it before, when the answer was lost.
        if not path.samefile(temporary):
            raise TakenError(f"{path} exists already") from None


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeError(f"{doing}: {error.strerror or error}") from error


class S3Store(Store):
    """A prefix in a bucket."""

    def __init__(self, url: str) -> None:
        import boto3  # here, since it takes a while and a folder needs none of it
        from botocore.config import Config

        self.bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.strip('/')}/".lstrip("/")
        if not self.bucket:
            raise SettingError(f"FLYER_LAKE is {url}, but must be s3://bucket/prefix")
        self.client = boto3.client(
            "s3", config=Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 3})
        )

    def key(self, folder: str, name: str = "") -> str:
        return f"{self.prefix}{folder}/{name}"

    def url(self, folder: str, name: str = "") -> str:
        return f"s3://{self.bucket}/{self.key(folder, name)}"

    def folders(self, parent: str) -> list[str]:
        with s3_errors(f"{self.url(parent)} cannot be listed"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.key(parent), Delimiter="/"
            )
            return [
                entry["Prefix"].removeprefix(self.key(parent)).rstrip("/")
                for page in pages
                for entry in page.get("CommonPrefixes", [])
            ]

    def page(self, folder: str, after: str) -> tuple[list[tuple[str, int]], bool]:
        """Return a page of names; pages in which all names are those of others are skipped."""
        prefix, start = self.key(folder), self.key(folder, after)
        while True:
            with s3_errors(f"{self.url(folder)} cannot be listed"):
                page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, StartAfter=start)
            listed = page.get("Contents", [])
            named = [(entry["Key"].removeprefix(prefix), entry["Size"]) for entry in listed]
            found = [(name, size) for name, size in named if NAME.fullmatch(name)]
            if found or not page["IsTruncated"]:
                return found, not page["IsTruncated"]
            start = listed[-1]["Key"]

    def beginning(self, folder: str, name: str) -> bytes:
        with s3_errors(f"{self.url(folder, name)} cannot be read"):
            part = f"bytes=0-{HEADER_BYTES - 1}"
            found = self.client.get_object(Bucket=self.bucket, Key=self.key(folder, name), Range=part)
            return bytes(found["Body"].read())

    def create(self, folder: str, name: str, content: bytes) -> None:
        place = {"Bucket": self.bucket, "Key": self.key(folder, name)}
        writer = str(uuid4())
        with s3_errors(f"{self.url(folder, name)} cannot be written"):
            from botocore.exceptions import ClientError

            try:
                self.client.put_object(**place, Body=content, IfNoneMatch="*", Metadata={"writer": writer})
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
                # The client may have written twice, since the answer to its first attempt was lost.
                if self.client.head_object(**place)["Metadata"].get("writer") != writer:
                    raise TakenError(f"{self.url(folder, name)} exists already") from None


@contextmanager
def s3_errors(doing: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        raise LakeError(f"{doing}: {error}") from error
