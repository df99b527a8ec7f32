"""The figures of a merchant, and the headline metrics that a page shows of them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from flyer_analytics.pages.formats import duration, number, percent, rounded, tenths


@dataclass(frozen=True)
class Figures:
    """Sums over flyer-days, a flyer-day being one flyer on one date. Figures are None where nothing is shown."""

    shown: int  # flyer-days
    hidden: int  # flyer-days with too few readers
    untimed: int  # shown flyer-days with too few readers whose views were measured
    readers: int | None = None
    views: int | None = None
    measured_views: int | None = None
    timed_views: int | None = None  # measured views of flyer-days whose view time is shown
    total_view_secs: Decimal | None = None
    items_opened: int | None = None
    views_to_other_merchants: int | None = None

    @property
    def avg_view_secs(self) -> float | None:
        if self.total_view_secs is None or not self.timed_views:
            return None
        return float(self.total_view_secs) / self.timed_views

    @property
    def items_per_100_views(self) -> float | None:
        return 100 * (self.items_opened or 0) / self.views if self.views else None

    @property
    def share_to_other_merchants(self) -> float | None:
        return (self.views_to_other_merchants or 0) / self.views if self.views else None

    @property
    def unmeasured_views(self) -> int:
        return (self.views or 0) - (self.measured_views or 0)


@dataclass(frozen=True)
class Metric:
    """A headline figure. ``key`` is an attribute of Figures and an anchor on the definitions page."""

    key: str
    label: str
    note: str
    show: Callable[[float], str]

    def of(self, figures: Figures | None) -> float | None:
        value = getattr(figures, self.key) if figures else None
        return None if value is None else float(value)

    def change(self, figures: Figures, previous: Figures | None) -> str | None:
        """Return the change since ``previous`` in words, None if either value is missing or the previous one is 0."""
        now, then = self.of(figures), self.of(previous)
        if now is None or not then:
            return None
        is_share = self.show is percent
        moved = rounded(100 * now) - rounded(100 * then) if is_share else rounded(100 * (now - then) / then)
        if moved == 0:
            return "unchanged"
        amount = f"{abs(moved):,} point{'s' * (abs(moved) > 1)}" if is_share else f"{abs(moved):,}%"
        return f"{'up' if moved > 0 else 'down'} {amount}"


METRICS = [
    Metric("readers", "Readers", "counted once per flyer and day", number),
    Metric("views", "Views", "times a flyer came on screen", number),
    Metric("total_view_secs", "Total view time", "all measured views", duration),
    Metric("avg_view_secs", "Average view time", "per measured view", duration),
    Metric("items_per_100_views", "Items opened", "per 100 views", tenths),
    Metric("share_to_other_merchants", "Went to other merchants", "share of views", percent),
]
