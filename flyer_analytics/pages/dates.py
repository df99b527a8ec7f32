"""Ranges of dates, and how a page names them."""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class DateRange:
    """Dates from ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=day) for day in range(self.days)]

    @property
    def previous(self) -> "DateRange":
        """The same number of dates, immediately before."""
        return DateRange(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def previous_name(self) -> str:
        return "previous day" if self.days == 1 else f"previous {self.days} days"

    def __str__(self) -> str:
        first, last = self.first, self.last
        if first == last:
            return f"{first:%A} {first.day} {first:%B %Y}"
        year = "" if first.year == last.year else f" {first.year}"
        month = "" if not year and first.month == last.month else f" {first:%B}"
        return f"{first.day}{month}{year} to {last.day} {last:%B %Y}"


def day_name(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
