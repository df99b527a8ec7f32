"""What the loop says of a cycle: a line for people, and a JSON object a line for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flyer_analytics.stream.lake import Content
from flyer_analytics.text import counted

POINTS = 20  # of an object, at which the age of its messages is taken


@dataclass
class Cycle:
    """What one cycle has done. Instants are UTC."""

    cycle: int
    at: datetime
    files: int = 0
    events: int = 0
    rejected: int = 0
    """Lines that could not be read and, on DuckDB, rows that no event can be made of."""
    positions: dict[int, int] = field(default_factory=dict)
    """By partition, the offset behind that in the name of the last object that was loaded."""
    behind_files: int = 0
    behind_bytes: int = 0
    behind_secs: float = 0.0
    """Age of the oldest message that waits for a later cycle."""
    published: bool = False
    published_at: datetime | None = None
    loaded_to: datetime | None = None
    """The last load of which all rows are published or rejected, on DuckDB."""
    age_secs: dict[str, float] | None = None
    """Of the messages published with this cycle, from Kafka's time to the end of the publication: p50, p95 and max."""
    newest_event_age_secs: float | None = None
    secs: dict[str, float] = field(default_factory=dict)
    problem: str | None = None

    def measure(self, contents: Sequence[Content], now: datetime) -> None:
        """Set the ages of the messages of objects that are published ``now``."""
        if contents:
            self.age_secs = {name: round(value, 2) for name, value in ages(contents, now).items()}
            self.newest_event_age_secs = round(min(secs_between(content.newest, now) for content in contents), 2)

    def json(self) -> str:
        values = {name: text(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()}
        return json.dumps(values)

    def __str__(self) -> str:
        if not (self.files or self.published or self.problem):
            return f"{self.at:%H:%M:%S}  nothing new"
        rejected = f", {self.rejected:,} rejected" if self.rejected else ""
        parts = [f"{self.at:%H:%M:%S}", f"{counted(self.files, 'file')}, {counted(self.events, 'event')}{rejected}"]
        if self.published:
            secs = " + ".join(f"{name} {secs:.1f}" for name, secs in self.secs.items())
            parts.append(f"published ({secs} s)")
        if self.age_secs:
            parts.append("event to mart p50 {p50:.1f} s, p95 {p95:.1f} s, max {max:.1f} s".format(**self.age_secs))
        if self.behind_files:
            behind = (
                f"{counted(self.behind_files, 'file')}, {self.behind_bytes / 1e6:,.1f} MB, {self.behind_secs:,.0f} s"
            )
            parts.append(f"behind by {behind}")
        if self.problem:
            parts.append(self.problem)
        return "  ".join(parts)


def text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def secs_between(first: datetime, last: datetime) -> float:
    return (last - first).total_seconds()


def ages(contents: Sequence[Content], now: datetime) -> dict[str, float]:
    """Return p50, p95 and max of the messages' ages in seconds, as if an object's messages came evenly."""
    weighted = []
    for content in contents:
        newest, oldest = (secs_between(instant, now) for instant in (content.newest, content.oldest))
        for point in range(POINTS):
            age = newest + (oldest - newest) * (point + 0.5) / POINTS
            weighted.append((age, content.messages / POINTS))
    weighted.sort()
    total = sum(weight for _, weight in weighted)

    def quantile(share: float) -> float:
        reached = 0.0
        for age, weight in weighted:
            reached += weight
            if reached >= share * total:
                return age
        return weighted[-1][0]

    oldest_age = max(secs_between(content.oldest, now) for content in contents)
    return {"p50": quantile(0.5), "p95": quantile(0.95), "max": oldest_age}


def append(file: Path, line: str) -> None:
    """Append a line to ``file``. Raises OSError."""
    with file.open("a", encoding="utf-8") as target:
        target.write(f"{line}\n")
