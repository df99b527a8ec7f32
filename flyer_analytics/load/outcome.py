"""What came of a load: messages, a last line and an exit status."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flyer_analytics.text import counted

Say = Callable[[str], None]

LOADED = 0
FAILED = 1
PARTLY_LOADED = 3  # 2 is an invalid command
NOTABLE_SHARE = 0.1


class LoadError(Exception):
    """A load failed and changed nothing. The message says why and what to do, in one or more lines."""


class FileError(Exception):
    """One file cannot be loaded. The message continues its name: `is empty`."""


class EmptyFileError(FileError):
    """A file has no line that is not blank, which is no problem if others load."""

    def __init__(self) -> None:
        super().__init__("is empty")


@dataclass(frozen=True)
class Rejection:
    """Lines of a load that were rejected for the same reason, and one of them."""

    reason: str
    lines: int
    file: str
    line_number: int | None  # None where Redshift tells only how many lines it rejected
    line: str | None  # None on Redshift

    def __str__(self) -> str:
        shown = f": {self.line[:100]}" if self.line else ""
        place = f", such as line {self.line_number} of {self.file}{shown}" if self.line_number is not None else ""
        return f"{counted(self.lines, 'line')} {self.reason}{place}"


@dataclass
class Outcome:
    """Counts of one load, filled while it runs."""

    files: int = 0
    rows: int = 0
    already_loaded: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Of each file that was not loaded, its name and why."""
    is_stream: bool = False
    """Whether lines are messages of a stream. A few come at a time, so all lines of a file or load may be bad."""

    @property
    def rejected(self) -> int:
        return sum(rejection.lines for rejection in self.rejections)

    @property
    def status(self) -> int:
        if not self.problems:
            return LOADED
        return PARTLY_LOADED if self.files or self.already_loaded else FAILED

    def require_usable_lines(self) -> None:
        """Raise LoadError if all lines were rejected, unless they come from a stream."""
        if self.rejected and not self.rows and not self.is_stream:
            raise LoadError(
                "\n    ".join(
                    ["No line can be read, so nothing was loaded:", *map(str, self.rejections), *self.problems]
                )
            )

    def warnings(self) -> list[str]:
        """Return what must not go unnoticed, one or more lines each."""
        found = []
        if self.rejected > NOTABLE_SHARE * (self.rows + self.rejected):
            share = f"{self.rejected:,} of {counted(self.rows + self.rejected, 'line')} rejected"
            found.append("\n    ".join([f"Warning: {share}, see raw.rejected_lines:", *map(str, self.rejections)]))
        if self.problems:
            found.append("\n    ".join(["Could not load:", *self.problems]))
        return found

    def __str__(self) -> str:
        """Return the last line of a load."""
        parts = [f"Loaded {counted(self.rows, 'row')} from {counted(self.files, 'file')}"]
        if self.rejected:
            parts.append(f"{counted(self.rejected, 'line')} rejected")
        if self.already_loaded:
            parts.append(f"{counted(self.already_loaded, 'file')} already loaded")
        if self.problems:
            parts.append(f"{counted(len(self.problems), 'file')} not loaded")
        return ", ".join(parts)
