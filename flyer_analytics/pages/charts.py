"""The geometry of the charts: heights in pixels, widths in percent, so that a chart fits any screen."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HEIGHT = 150  # px, of the plot without its labels
SCATTER_HEIGHT = 240  # px
MAX_LABELS = {"wide": 12, "narrow": 5}  # on the x axis, on a desktop and on a phone
SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000, 36_000]  # steps of a time axis


@dataclass(frozen=True)
class Value:
    """What a column shows: its label on the axis, its tooltip, and its value or whether that is hidden."""

    label: str
    text: str
    value: float | None
    is_hidden: bool = False


@dataclass(frozen=True)
class Tick:
    at: float  # px from the top, or percent from the left
    label: str
    is_narrow: bool = True  # also shown on a phone


@dataclass(frozen=True)
class Column:
    x: float  # percent
    width: float  # percent
    y: float  # px from the top
    height: float  # px
    text: str
    is_hidden: bool


@dataclass(frozen=True)
class Columns:
    """A column chart."""

    columns: list[Column]
    rows: list[Tick]
    labels: list[Tick]
    height: float = HEIGHT


@dataclass(frozen=True)
class Dot:
    x: float  # percent
    y: float  # px from the top
    label: str
    text: str


@dataclass(frozen=True)
class Scatter:
    """A scatter plot with a log x axis and a linear y axis. ``line`` is a marked y value, in px from the top."""

    dots: list[Dot]
    rows: list[Tick]
    labels: list[Tick]
    line: float
    height: float = SCATTER_HEIGHT


def axis_values(top: float, allowed_steps: Iterable[float] | None = None) -> list[float]:
    """Return at most five evenly spaced values, from 0 to the first one at or above ``top``.

    The step between them is one of ``allowed_steps``, in ascending order; if none fits, 1, 2 or 5 times a power of 10.
    """
    fitting = (step for step in allowed_steps or () if 4 * step >= top)
    decimals = (digit * 10.0**power for power in range(12) for digit in (1, 2, 5) if 4 * digit * 10.0**power >= top)
    step = next(fitting, None) or next(decimals)
    return [step * count for count in range(max(1, math.ceil(top / step)) + 1)]


def label_strides(count: int) -> tuple[int, int]:
    """Return every how many of ``count`` columns a label is shown, on a desktop and on a phone."""
    wide = math.ceil(count / MAX_LABELS["wide"])
    return wide, wide * math.ceil(math.ceil(count / wide) / MAX_LABELS["narrow"])


def columns(
    values: Sequence[Value],
    name: Callable[[float], str],
    allowed_steps: Iterable[float] | None = None,
    strides: tuple[int, int] | None = None,
) -> Columns:
    """Return a column chart. ``name`` formats the values on the y axis; for ``strides`` see label_strides."""
    axis = axis_values(max((each.value or 0 for each in values), default=0), allowed_steps)
    slot = 100 / max(1, len(values))
    wide, narrow = strides or label_strides(len(values))
    drawn = []
    for place, each in enumerate(values):
        height = HEIGHT * (each.value or 0) / axis[-1]
        if each.value is not None or each.is_hidden:
            drawn.append(
                Column(
                    x=slot * (place + 0.1),
                    width=slot * 0.8,
                    y=HEIGHT - height,
                    height=height,
                    text=each.text,
                    is_hidden=each.is_hidden,
                )
            )
    return Columns(
        columns=drawn,
        rows=[Tick(HEIGHT * (1 - value / axis[-1]), name(value)) for value in axis],
        labels=[
            Tick(slot * (place + 0.5), values[place].label, place % narrow == 0)
            for place in range(0, len(values), wide)
        ],
    )


def scatter(
    points: Sequence[tuple[float, float, str, str]],
    marked: float,
    name: Callable[[float], str],
    allowed_steps: Iterable[float],
) -> Scatter:
    """Return a scatter plot of ``points`` (x, y, label, tooltip), with a line at the y value ``marked``."""
    y_axis = axis_values(max(marked, *(point_y for _, point_y, _, _ in points)), allowed_steps)
    round_values = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]
    least, most = (choose(point_x for point_x, *_ in points) for choose in (min, max))
    first, last = bisect_right(round_values, least) - 1, bisect_left(round_values, most)
    x_axis = round_values[first : max(first + 1, last) + 1]

    def x(value: float) -> float:
        return 4 + 92 * math.log(value / x_axis[0]) / math.log(x_axis[-1] / x_axis[0])

    def y(value: float) -> float:
        return SCATTER_HEIGHT * (1 - value / y_axis[-1])

    return Scatter(
        dots=[Dot(x(point_x), y(point_y), label, text) for point_x, point_y, label, text in points],
        rows=[Tick(y(value), name(value)) for value in y_axis],
        labels=[Tick(x(value), f"{value:,}") for value in x_axis],
        line=y(marked),
    )
