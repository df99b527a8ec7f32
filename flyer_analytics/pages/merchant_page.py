"""What the page of a merchant shows, as data for its template."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

from flyer_analytics.pages import charts
from flyer_analytics.pages.dates import DateRange, day_name
from flyer_analytics.pages.figures import METRICS, Figures
from flyer_analytics.pages.formats import axis_duration, duration, number
from flyer_analytics.pages.marts import Marts
from flyer_analytics.text import counted

MAX_FLYERS = 25  # rows of the flyer table; the CSV file has all
MAX_CELLS = 60  # rows of the table by flyer and day
MIN_DOTS = 3  # flyers that the chart of readers and view time needs
TOO_FEW = "too few readers"


def page_data(marts: Marts, merchant: str, stem: str) -> dict[str, Any]:
    """Return the variables of the merchant template; ``stem`` is the file name of the page without extension."""
    figures = marts.totals[merchant]
    days = marts.by_date(merchant)
    flyers = sorted(
        marts.by_flyer(merchant).items(),
        key=lambda item: (-(item[1].readers or 0), -(item[1].views or 0), item[0]),
    )
    shown = [(flyer, each) for flyer, each in flyers if each.shown]
    cells = marts.cells(merchant)
    hours = views_by_hour(marts, merchant)
    readers_by_day, times_by_day = day_charts(marts.dates, days)
    return {
        "merchant": merchant,
        "stem": stem,
        "dates": marts.dates,
        "available": marts.available,
        "has_previous": marts.has_previous,
        "figures": figures,
        "headlines": headlines(marts, merchant),
        "size": marts.sizes.name(merchant) if figures.views else None,
        "others": marts.sizes.others(merchant),
        "flyers": shown[:MAX_FLYERS],
        "shown_flyers": len(shown),
        "hidden_flyers": len(flyers) - len(shown),
        "longest": max((each.total_view_secs or 0 for _, each in shown), default=0),
        "medians": {cell["flyer_id"]: cell["median_view_secs"] for cell in cells} if marts.dates.days == 1 else {},
        "flyer_chart": flyer_chart(shown, figures.avg_view_secs or 0),
        "cells": [cell for cell in reversed(cells) if not cell["is_suppressed"]][:MAX_CELLS],
        "hours": hours,
        "hour_chart": hour_chart(hours),
        "days": days,
        "has_hidden_days": any(column.is_hidden for column in times_by_day.columns),
        "readers_by_day": readers_by_day,
        "times_by_day": times_by_day,
    }


def headlines(marts: Marts, merchant: str) -> list[dict[str, str | None]]:
    """Return the headline metrics as text, each with its comparisons. What cannot be shown is None."""
    figures, previous = marts.totals[merchant], marts.previous.get(merchant)
    shown = []
    for metric in METRICS:
        value, then = metric.of(figures), metric.of(previous)
        others = marts.sizes.median_of_others(merchant, metric, value)
        shown.append(
            {
                "key": metric.key,
                "label": metric.label,
                "note": metric.note,
                "value": None if value is None else metric.show(value),
                "change": metric.change(figures, previous),
                "previous": None if then is None else metric.show(then),
                "others": None if others is None else metric.show(others),
            }
        )
    return shown


def views_by_hour(marts: Marts, merchant: str) -> dict[int | None, int]:
    """Return the views per hour of the day, over all dates; under None those of combined hours."""
    hours: dict[int | None, int] = defaultdict(int)
    for _, hour, _, views in marts.hours(merchant):
        hours[hour] += views
    return hours


def day_charts(dates: DateRange, days: dict[date, Figures]) -> tuple[charts.Columns, charts.Columns]:
    """Return the charts of readers and of average view time by day."""
    readers, times = [], []
    for day in dates.dates:
        figures, name, label = days.get(day), day_name(day), f"{day.day} {day:%b}"
        is_hidden = figures is not None and not figures.shown
        count, secs = (figures.readers, figures.avg_view_secs) if figures else (None, None)
        text = counted(count, "reader") if count else TOO_FEW if is_hidden else "no readers"
        readers.append(charts.Value(label, f"{name}: {text}", count, is_hidden))
        is_untimed = figures is not None and secs is None
        text = duration(secs) if secs is not None else TOO_FEW if is_untimed else "no readers"
        times.append(charts.Value(label, f"{name}: {text}", secs, is_untimed))
    return charts.columns(readers, number), charts.columns(times, axis_duration, charts.SECONDS)


def hour_chart(hours: dict[int | None, int]) -> charts.Columns:
    """Return the chart of views by hour of the day."""
    values = [
        charts.Value(
            f"{hour}:00",
            f"{hour}:00 to {hour}:59: {counted(hours[hour], 'view') if hour in hours else 'no views shown'}",
            hours.get(hour),
        )
        for hour in range(24)
    ]
    return charts.columns(values, number, strides=(3, 6))


def flyer_chart(flyers: Sequence[tuple[str, Figures]], average_secs: float) -> charts.Scatter | None:
    """Return the chart of readers and average view time of ``flyers``, None if fewer than MIN_DOTS have both."""
    points = [
        (
            float(figures.readers),
            figures.avg_view_secs,
            str(place) if place <= MAX_FLYERS else "",
            f"{flyer}: {counted(figures.readers, 'reader')}, {duration(figures.avg_view_secs)} per view",
        )
        for place, (flyer, figures) in enumerate(flyers, 1)
        if figures.readers and figures.avg_view_secs is not None
    ]
    return charts.scatter(points, average_secs, axis_duration, charts.SECONDS) if len(points) >= MIN_DOTS else None
