"""Which files a path names, and what their names say."""

import gzip
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import IO, TypeVar

from flyer_analytics.load.outcome import FileError, LoadError, Outcome, Say

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

NAME = re.compile(r"[.](?:(csv|tsv|json|jsonl|ndjson)(?:[.](gz|zst))?|(parquet))$", re.IGNORECASE)
ENDINGS = ".csv, .tsv, .json, .jsonl, .ndjson (each optionally followed by .gz or .zst) or .parquet"
OPENERS: dict[str | None, Callable[[Path, str], IO[bytes]]] = {
    None: Path.open,
    "gz": gzip.open,  # type: ignore[dict-item]
    "zst": zstd.open,  # type: ignore[dict-item]
}


@dataclass(frozen=True)
class File:
    """A file on disk or in S3."""

    name: str
    """Its path or URL, as messages and `_source_file` have it."""
    size: int
    """Bytes."""

    @property
    def format(self) -> str | None:
        """`csv`, `json` or `parquet`; None if the name says nothing."""
        found = NAME.search(self.name)
        if not found:
            return None
        ending = (found[1] or found[3]).lower()
        return {"tsv": "csv", "jsonl": "json", "ndjson": "json"}.get(ending, ending)

    @property
    def compression(self) -> str | None:
        """`gz` or `zst`, if compressed."""
        found = NAME.search(self.name)
        return found[2].lower() if found and found[2] else None


AnyFile = TypeVar("AnyFile", bound=File)


@dataclass(frozen=True)
class DiskFile(File):
    modified_at: datetime
    """UTC, without a time zone."""


def link_or_copy(file: DiskFile, target: Path) -> None:
    """Make the content of a file available as ``target``: not compressed, and lines of text ended by a line feed.

    Raises OSError if the file cannot be read, and FileError if it is damaged.
    """
    with Path(file.name).open("rb") as source:
        if file.format == "parquet" or not (file.compression or any(b"\r" in chunk for chunk in chunks(source))):
            target.symlink_to(Path(file.name).absolute())
            return
    unpack(Path(file.name), file.compression, target)


def unpack(source: Path, compression: str | None, target: Path) -> None:
    """Write the text in a file to ``target``.

    Python checks lengths and checksums, while DuckDB takes the readable part of a damaged file for all of it. And in
    files with carriage returns, DuckDB can lose text after a line that ends in another way than the first. Raises
    FileError if the file is damaged.
    """
    try:
        with OPENERS[compression](source, "rb") as packed, target.open("wb") as plain:
            for chunk in chunks(packed):
                plain.write(chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    except (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
        raise FileError(f"is damaged: {error}") from None


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in parts, none of which ends between a carriage return and a line feed."""
    while chunk := file.read(2**20):
        while chunk.endswith(b"\r") and (more := file.read(1)):
            chunk += more
        yield chunk


def on_disk(path: str, say: Say, outcome: Outcome) -> list[DiskFile]:
    """Return the files that ``path`` names: itself, those that match it as a pattern, or those in it as a folder.

    Raises LoadError if there are none.
    """
    root = Path(re.split(r"[*?[]", path)[0].rpartition("/")[0])
    if Path(path).is_file():
        root = Path(path)
        found = [root]
    elif Path(path).is_dir():
        root = Path(path)
        found = list(files_below(root, outcome))
    else:  # not Path.glob, whose ** matches only folders until Python 3.13
        matching = map(Path, glob(path, recursive=True, include_hidden=True))  # noqa: PTH207
        found = [name for name in matching if not name.is_dir()]
    if not found:
        raise LoadError(
            f"Nothing to load at '{shown(path)}':"
            " no file with this name, no file that matches, no folder with files in it"
        )
    names = visible(sorted(map(str, found)), "" if root == Path() else str(root), say)
    return [file for name in names if (file := described(name, outcome))]


def described(name: str, outcome: Outcome) -> DiskFile | None:
    """Return a file with its size and time of change, or note what is wrong with it."""
    try:
        name.encode()
        found = Path(name).stat()
        modified_at = datetime.fromtimestamp(found.st_mtime, UTC).replace(tzinfo=None)
        if stat.S_ISREG(found.st_mode):
            return DiskFile(name, found.st_size, modified_at)
        outcome.problems.append(f"{name} is not a regular file")
    except UnicodeEncodeError:
        outcome.problems.append(f"{shown(name)}: its name is not UTF-8. Rename it")
    except OSError as error:
        outcome.problems.append(f"{name} cannot be read: {error.strerror}")
    return None


def files_below(folder: Path, outcome: Outcome) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, also behind links, each folder once."""

    def complain(error: OSError) -> None:
        outcome.problems.append(f"{shown(error.filename)} cannot be read: {error.strerror}")

    seen = {folder.resolve()}
    for parent, folders, names in os.walk(folder, onerror=complain, followlinks=True):
        new = [name for name in folders if Path(parent, name).resolve() not in seen]
        seen.update(Path(parent, name).resolve() for name in new)
        folders[:] = new
        yield from (Path(parent, name) for name in names)


def visible(names: Iterable[str], root: str, say: Say) -> list[str]:
    """Leave out names with a part below ``root`` that begins with `.` or `_`, and say so once a part.

    Such names mean something unfinished or no data: `_temporary`, `.part-0.csv.crc`, `__MACOSX`, `._events.csv`.
    """
    kept = []
    left_alone: dict[str, None] = {}
    for name in names:
        below = name[len(root) :]
        hidden = re.search(r"(?:^|/)[._][^/]*", below)
        if hidden:
            left_alone[root + below[: hidden.end()]] = None
        else:
            kept.append(name)
    for part in left_alone:
        say(f"{shown(part)}: left alone, since its name begins with . or _")
    return kept


def usable(files: Sequence[AnyFile], path: str, say: Say, outcome: Outcome) -> list[AnyFile]:
    """Leave out the files of unknown formats and the empty ones, and say so.

    Raises LoadError if none is left.
    """
    known, empty = [], []
    for file in files:
        if not file.format:
            say(f"{file.name}: skipped, unknown file extension")
        elif not file.size:
            empty.append(file)
        else:
            known.append(file)
    for file in empty:
        say(f"{file.name} is empty")
    if not known and not outcome.problems:
        raise LoadError(
            f"Nothing to load at '{path}': "
            + ("all files are empty" if empty else f"file names must end in {ENDINGS}, and not begin with . or _")
        )
    return known


def shown(name: str) -> str:
    """Return a name that can be printed, even if it is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
