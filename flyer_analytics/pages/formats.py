"""How a page writes numbers."""

from decimal import ROUND_HALF_UP, Decimal


def rounded(value: float | Decimal) -> int:
    """Return ``value`` as an integer, halves rounded up."""
    return int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))


def number(value: float) -> str:
    return f"{rounded(value):,}"


def tenths(value: float) -> str:
    return f"{value:.1f}"


def percent(share: float) -> str:
    return f"{rounded(100 * share)}%"


def duration(secs: float | Decimal) -> str:
    """Return ``secs`` in its two largest units: 12 s, 1 min 05 s, 2 h 05 min."""
    seconds = rounded(secs)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = rounded(Decimal(seconds) / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def axis_duration(secs: float) -> str:
    """Return ``secs``, a round value on an axis, in one unit."""
    for unit, name in ((3600, "h"), (60, "min")):
        if secs >= unit and secs % (unit / 2) == 0:
            return f"{secs / unit:,g} {name}"
    return f"{secs:,g} s" if secs else "0"
