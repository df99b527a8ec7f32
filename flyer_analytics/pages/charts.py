"""Where the marks of a chart lie: heights in pixels, widths in percent, so that a chart fills any screen."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HEIGHT = 150  # px, of the plot without its labels
DOTS_HEIGHT = 240
MOST_LABELS = {"wide": 12, "narrow": 5}  # below the plot, on a desk and on a phone
SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000, 36_000]


@dataclass(frozen=True)
class Value:
    """One column: what stands below it, what it says when pointed at, its value or why there is none."""

    label: str
    text: str
    value: float | None
    is_hidden: bool = False


@dataclass(frozen=True)
class Tick:
    at: float  # px from above, or percent from the left
    label: str
    is_narrow: bool = True  # shown on a phone too


@dataclass(frozen=True)
class Column:
    x: float  # percent
    width: float  # percent
    y: float  # px from above
    height: float  # px
    text: str
    is_hidden: bool


@dataclass(frozen=True)
class Columns:
    """A column for each value, in order."""

    columns: list[Column]
    rows: list[Tick]
    labels: list[Tick]
    height: float = HEIGHT


@dataclass(frozen=True)
class Dot:
    x: float  # percent
    y: float  # px from above
    label: str
    text: str


@dataclass(frozen=True)
class Scatter:
    """Dots on a logarithmic scale to the right and a linear one up; ``line``, px from above, marks a value."""

    dots: list[Dot]
    rows: list[Tick]
    labels: list[Tick]
    line: float
    height: float = DOTS_HEIGHT


def steps(top: float, allowed: Iterable[float] | None = None) -> list[float]:
    """Return round values from 0 to the first at or over ``top``, at most five.

    Steps are 1, 2 or 5 times a power of 10, or those ``allowed``, the smallest first, such as round ones of minutes.
    """
    fitting = (step for step in allowed or () if 4 * step >= top)
    decimals = (digit * 10.0**power for power in range(12) for digit in (1, 2, 5) if 4 * digit * 10.0**power >= top)
    step = next(fitting, None) or next(decimals)
    return [step * count for count in range(max(1, math.ceil(top / step)) + 1)]


def strides(count: int) -> tuple[int, int]:
    """Return how many of ``count`` columns share a label, on a desk and on a phone."""
    wide = math.ceil(count / MOST_LABELS["wide"])
    return wide, wide * math.ceil(math.ceil(count / wide) / MOST_LABELS["narrow"])


def columns(
    values: Sequence[Value],
    name: Callable[[float], str],
    allowed: Iterable[float] | None = None,
    labelled: tuple[int, int] | None = None,
) -> Columns:
    """Return a chart of ``values``, whose axis ``name`` labels; ``labelled`` says the strides of the labels below."""
    scale = steps(max((each.value or 0 for each in values), default=0), allowed)
    slot = 100 / max(1, len(values))
    wide, narrow = labelled or strides(len(values))
    drawn = []
    for place, each in enumerate(values):
        height = HEIGHT * (each.value or 0) / scale[-1]
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
        rows=[Tick(HEIGHT * (1 - value / scale[-1]), name(value)) for value in scale],
        labels=[
            Tick(slot * (place + 0.5), values[place].label, place % narrow == 0)
            for place in range(0, len(values), wide)
        ],
    )


def scatter(
    points: Sequence[tuple[float, float, str, str]],
    marked: float,
    name: Callable[[float], str],
    allowed: Iterable[float],
) -> Scatter:
    """Return a chart of ``points`` (to the right, up, label, text), in which the value ``marked`` has a line."""
    scale = steps(max(marked, *(up for _, up, _, _ in points)), allowed)
    rounds = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]
    least, most = (choose(right for right, *_ in points) for choose in (min, max))
    left, right = bisect_right(rounds, least) - 1, bisect_left(rounds, most)
    rights = rounds[left : max(left + 1, right) + 1]

    def x(value: float) -> float:
        return 4 + 92 * math.log(value / rights[0]) / math.log(rights[-1] / rights[0])

    def y(value: float) -> float:
        return DOTS_HEIGHT * (1 - value / scale[-1])

    return Scatter(
        dots=[Dot(x(right), y(up), label, text) for right, up, label, text in points],
        rows=[Tick(y(value), name(value)) for value in scale],
        labels=[Tick(x(value), f"{value:,}") for value in rights],
        line=y(marked),
    )
