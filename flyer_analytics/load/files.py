"""Which files a path names, and what their names say."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from flyer_analytics.load.outcome import LoadError, Outcome, Say

# The formats of names. Text may be compressed, Parquet compresses itself.
TEXT_ENDINGS = {"csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "ndjson": "json"}
OTHER_ENDINGS = {"parquet": "parquet"}
NAME = re.compile(
    rf"[.](?:(?P<text>{'|'.join(TEXT_ENDINGS)})(?:[.](?P<compression>gz|zst))?|(?P<other>{'|'.join(OTHER_ENDINGS)}))$",
    re.IGNORECASE,
)
ENDINGS = f".{', .'.join(TEXT_ENDINGS)} (each optionally followed by .gz or .zst) or .{', .'.join(OTHER_ENDINGS)}"


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
        return found and (TEXT_ENDINGS | OTHER_ENDINGS)[(found["text"] or found["other"]).lower()]

    @property
    def is_text(self) -> bool:
        return self.format in TEXT_ENDINGS.values()

    @property
    def compression(self) -> str | None:
        """`gz` or `zst`, if compressed."""
        found = NAME.search(self.name)
        return found["compression"].lower() if found and found["compression"] else None


AnyFile = TypeVar("AnyFile", bound=File)


@dataclass(frozen=True)
class DiskFile(File):
    """A file on disk, by its absolute path."""

    modified_at: datetime
    """UTC, without a time zone."""


def on_disk(path: str, say: Say, outcome: Outcome) -> list[DiskFile]:
    """Return the files that ``path`` names: itself, those that match it as a pattern, or those in it as a folder.

    Raises LoadError if there are none.
    """
    try:
        if Path(path).is_file():
            root, names = Path(path), [path]
        elif Path(path).is_dir():
            root = Path(path)
            names = list(files_below(root, outcome))
        else:
            normal = str(Path(path))
            folder = before_pattern(normal).rpartition("/")[0]
            root = Path(folder or Path(normal).anchor)
            depth = None if "**" in normal else normal[len(folder) + 1 :].count("/")
            pattern = pattern_of(normal)
            names = [name for name in files_below(root, outcome, depth) if pattern.fullmatch(name)]
    except OSError as error:
        raise LoadError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if not names and not outcome.problems:
        raise LoadError(
            f"Nothing to load at '{shown(path)}':"
            " no file with this name, no file that matches, no folder with files in it"
        )
    kept = visible(sorted(names), "" if root == Path() else str(root), say)
    return [file for name in kept if (file := described(name, outcome))]


def before_pattern(path: str) -> str:
    """Return the part of a path before its first wildcard."""
    return re.split(r"[*?[]", path)[0]


def pattern_of(path: str) -> re.Pattern[str]:
    """Return a regular expression for a pattern: `*` and `?` match within a folder, `**` across folders."""
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def translated(part: str) -> str:
        if re.fullmatch(r"\[.+\]", part):
            sign = "^" if part[1] == "!" else ""
            characters = re.sub(r"([][&~|^\\])", r"\\\1", part[1 + len(sign) : -1])
            return f"[{sign}{characters}]"
        return wildcards.get(part) or re.escape(part)

    try:
        parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^]]+\])", path)
        return re.compile("".join(map(translated, parts)), re.DOTALL)
    except re.error as error:
        raise LoadError(f"{path} is not a pattern: {error}") from None


def files_below(root: Path, outcome: Outcome, depth: int | None = None) -> Iterator[str]:
    """Yield the files in a folder and its subfolders, also behind links that do not lead back.

    ``depth`` limits how many levels down.
    """

    def complain(error: OSError) -> None:
        outcome.problems.append(f"{shown(error.filename)} cannot be read: {error.strerror}")

    above = {str(root): {root.resolve()}}  # of each folder, itself and those through which it was reached
    for folder, subfolders, names in os.walk(root, onerror=complain if root.is_dir() else None, followlinks=True):
        level = len(Path(folder).parts) - len(root.parts)
        targets = {str(Path(folder, name)): Path(folder, name).resolve() for name in subfolders}
        new = {path: target for path, target in targets.items() if target not in above[str(Path(folder))]}
        above |= {path: above[str(Path(folder))] | {target} for path, target in new.items()}
        subfolders[:] = [Path(path).name for path in new] if depth is None or level < depth else []
        yield from (str(Path(folder, name)) for name in names)


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


def described(name: str, outcome: Outcome) -> DiskFile | None:
    """Return a file with its size and time of change, or note what is wrong with it."""
    try:
        name.encode()
        found = Path(name).stat()
        modified_at = datetime.fromtimestamp(found.st_mtime, UTC).replace(tzinfo=None)
        if stat.S_ISREG(found.st_mode):
            return DiskFile(os.path.abspath(name), found.st_size, modified_at)  # noqa: PTH100
        outcome.problems.append(f"{name} is not a regular file")
    except UnicodeEncodeError:
        outcome.problems.append(f"{shown(name)}: its name is not UTF-8. Rename it")
    except OSError as error:
        outcome.problems.append(f"{name} cannot be read: {error.strerror}")
    return None


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
