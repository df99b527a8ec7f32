"""Which files a path names, and what their names say."""

import gzip
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob, has_magic
from pathlib import Path
from typing import TypeVar

from flyer_analytics.load.outcome import FileError, LoadError, Outcome, Say

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NAME = re.compile(r"[.](?:(csv|tsv|json|jsonl|ndjson)(?:[.](gz|zst))?|(parquet))$", re.IGNORECASE)
ENDINGS = ".csv, .tsv, .json, .jsonl, .ndjson (each optionally followed by .gz or .zst) or .parquet"
OPENERS = {"gz": gzip.open, "zst": zstd.open}


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

    def require_readable(self) -> None:
        """Raise OSError if the file cannot be read."""
        Path(self.name).open("rb").close()

    def unpack(self, target: Path) -> None:
        """Write the content to ``target``.

        DuckDB takes the readable part of a damaged file for all of it. Python's readers check lengths and checksums.
        Raises FileError if the file is damaged.
        """
        assert self.compression
        try:
            with OPENERS[self.compression](self.name, "rb") as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 2**20)
        except (EOFError, gzip.BadGzipFile, zstd.ZstdError, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            kind = {"gz": "gzip", "zst": "zstd"}[self.compression]
            raise FileError(f"is damaged or not {kind}: {error}") from None


def on_disk(path: str, say: Say, outcome: Outcome) -> list[DiskFile]:
    """Return the files that ``path`` names: the file itself, those that match it as a pattern, or those in it as a folder.

    Raises LoadError if there are none.
    """
    if os.path.isfile(path):
        root, names = path, [path]
    elif os.path.isdir(path):
        root, names = path, list(files_below(path, outcome))
    else:
        root = re.split(r"[*?[]", path)[0].rpartition("/")[0]
        names = [name for name in glob(path, recursive=True, include_hidden=True) if not os.path.isdir(name)]
    files = []
    for name in visible(sorted(names), root, say):
        try:
            name.encode()
            found = os.stat(name)
            if not stat.S_ISREG(found.st_mode):
                raise FileError("is not a regular file")
            modified_at = datetime.fromtimestamp(found.st_mtime, UTC).replace(tzinfo=None)
            files.append(DiskFile(name, found.st_size, modified_at))
        except UnicodeEncodeError:
            outcome.problems.append(f"{shown(name)}: its name is not UTF-8. Rename it")
        except (OSError, FileError) as error:
            outcome.problems.append(f"{name} {error if isinstance(error, FileError) else f'cannot be read: {error}'}")
    if not names:
        raise LoadError(
            f"Nothing to load at '{shown(path)}': no file with this name, no file that matches, no folder with files in it"
        )
    return files


def files_below(folder: str, outcome: Outcome) -> Iterator[str]:
    """Yield the files in a folder and its subfolders, also behind links."""

    def complain(error: OSError) -> None:
        outcome.problems.append(f"{error.filename} cannot be read: {error.strerror}")

    seen = set()
    for parent, folders, names in os.walk(folder, onerror=complain, followlinks=True):
        for name in [*folders]:
            found = os.stat(os.path.join(parent, name))
            if (found.st_dev, found.st_ino) in seen:
                folders.remove(name)
            seen.add((found.st_dev, found.st_ino))
        yield from (os.path.join(parent, name) for name in names)


def visible(names: Iterable[str], root: str, say: Say) -> list[str]:
    """Leave out the names that have a part below ``root`` that begins with `.` or `_`, and say so once a part.

    Writers give such names to what is not finished or no data: `_temporary`, `.part-0.csv.crc`, `__MACOSX`, `._events.csv`.
    """
    kept = []
    left_alone = {}
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
