"""How a merchant compares with others of similar size, without giving away the figure of any of them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from flyer_analytics.pages.figures import METRICS, Figures, Metric

MIN_OTHERS = 5  # other merchants in a group whose median is shown
GROUP_NAMES = (
    "the smallest quarter",
    "the second smallest quarter",
    "the second largest quarter",
    "the largest quarter",
)


def blurred_median(values: Sequence[float]) -> float:
    """Return the median of sorted ``values``, at least two. For an odd number of them, the mean of the middle three.

    The middle value alone would be the figure of a single merchant.
    """
    ends = (len(values) - 2) // 2
    return fmean(values[ends : len(values) - ends])


class SizeGroups:
    """Merchants in four groups of equal size, by the number of their views that are shown."""

    def __init__(self, totals: dict[str, Figures]) -> None:
        by_views = sorted((figures.views, merchant) for merchant, figures in totals.items() if figures.views)
        self._group = {merchant: 4 * place // len(by_views) for place, (_, merchant) in enumerate(by_views)}
        self._values: dict[tuple[int, str], list[float]] = defaultdict(list)
        for merchant, group in self._group.items():
            for metric in METRICS:
                value = metric.of(totals[merchant])
                if value is not None:
                    self._values[group, metric.key].append(value)
        for values in self._values.values():
            values.sort()

    def name(self, merchant: str) -> str:
        """Return the name of the group of ``merchant``. Raises KeyError if no view of the merchant is shown."""
        return GROUP_NAMES[self._group[merchant]]

    def others(self, merchant: str) -> int:
        """Return the number of other merchants in the group of ``merchant``, 0 if it is in no group."""
        group = self._group.get(merchant)
        return len(self._values[group, "views"]) - 1 if group is not None else 0

    def median_of_others(self, merchant: str, metric: Metric, own: float | None) -> float | None:
        """Return the median over the others in the group, None if they are too few.

        ``own`` is the value of ``merchant`` itself, which is left out.
        """
        group = self._group.get(merchant)
        if group is None:
            return None
        values = self._values[group, metric.key]
        at = bisect_left(values, own) if own is not None else len(values)
        others = values[:at] + values[at + 1 :]
        return blurred_median(others) if len(others) >= MIN_OTHERS else None
