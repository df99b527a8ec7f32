"""Write pages for merchants: ``python -m flyer_analytics.pages --out report``.

A page publishes nothing but what the two marts show that a merchant may see, sums of it, and figures of groups of other
merchants. So no page can tell of the few readers whom the marts leave out.
"""

import argparse
import csv
import difflib
import hashlib
import re
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import jinja2
import yaml

from flyer_analytics import publish
from flyer_analytics.pages import charts

PROJECT = Path(__file__).parents[2]
TEMPLATES = Path(__file__).parent / "templates"
MARK = ".merchant-pages"  # an empty file by which a folder of pages is known
DAYS = 7  # on a page, unless asked otherwise
FEWEST_OTHERS = 5  # merchants in a group whose figure is shown
MOST_FLYERS = 25  # in the table; all are in the CSV
MOST_CELLS = 60

FIGURES = """
    count(*) filter (not is_suppressed),
    count(*) filter (is_suppressed),
    count(*) filter (not is_suppressed and total_view_secs is null),
    sum(readers),
    sum(views),
    sum(measured_views),
    sum(measured_views) filter (total_view_secs is not null),
    sum(total_view_secs),
    sum(items_opened),
    sum(views_to_other_merchants)
"""
CELLS = """
    flyer_id, date, readers, views, measured_views, total_view_secs, avg_view_secs, median_view_secs, items_opened,
    views_to_other_merchants, share_to_other_merchants
"""


class ReportError(Exception):
    """No pages can be written; the message says why, and the way out."""


# ---------- figures


@dataclass(frozen=True)
class Range:
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
    def before(self) -> "Range":
        """The dates before these, as many."""
        return Range(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def name_before(self) -> str:
        return "the day before" if self.days == 1 else f"the {self.days} days before"

    def __str__(self) -> str:
        first, last = self.first, self.last
        if first == last:
            return f"{first:%A} {first.day} {first:%B %Y}"
        year = "" if first.year == last.year else f" {first.year}"
        month = "" if not year and first.month == last.month else f" {first:%B}"
        return f"{first.day}{month}{year} to {last.day} {last:%B %Y}"


@dataclass(frozen=True)
class Figures:
    """Sums over flyers and dates that are shown; None where nothing is."""

    shown: int  # flyers and dates
    hidden: int  # flyers and dates with too few readers
    untimed: int  # of the shown ones, those with too few readers whose views were measured
    readers: int | None = None
    views: int | None = None
    measured_views: int | None = None
    timed_views: int | None = None  # the measured ones whose seconds are shown
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


def whole(value: float | Decimal) -> int:
    """Return ``value`` rounded, halves up."""
    return int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))


def number(value: float) -> str:
    return f"{whole(value):,}"


def tenths(value: float) -> str:
    return f"{value:.1f}"


def percent(value: float) -> str:
    return f"{whole(100 * value)}%"


def duration(secs: float | Decimal) -> str:
    """Return ``secs`` in its two largest units: 12 s, 1 min 05 s, 2 h 05 min."""
    seconds = whole(secs)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = whole(Decimal(seconds) / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def tick(secs: float) -> str:
    """Return round ``secs`` in one unit."""
    for unit, name in ((3600, "h"), (60, "min")):
        if secs >= unit and secs % (unit / 2) == 0:
            return f"{secs / unit:,g} {name}"
    return f"{secs:,g} s" if secs else "0"


def day_name(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


@dataclass(frozen=True)
class Metric:
    """A headline figure; ``key`` is an attribute of Figures and an anchor on the page of definitions."""

    key: str
    label: str
    note: str
    show: Callable[[float], str]

    def of(self, figures: Figures | None) -> float | None:
        value = getattr(figures, self.key) if figures else None
        return None if value is None else float(value)

    def change(self, figures: Figures, before: Figures | None) -> str | None:
        """Say how the value moved since ``before``; None where there is no value on either side."""
        now, then = self.of(figures), self.of(before)
        if now is None or not then:
            return None
        is_share = self.show is percent
        moved = whole(100 * (now - then)) if is_share else whole(100 * (now - then) / then)
        if moved == 0:
            return "unchanged"
        amount = f"{abs(moved):,} point{'s' * (abs(moved) > 1)}" if is_share else f"{abs(moved):,}%"
        return f"{'up' if moved > 0 else 'down'} {amount}"


METRICS = [
    Metric("readers", "Readers", "once per flyer and day", number),
    Metric("views", "Views", "times a flyer came on screen", number),
    Metric("total_view_secs", "Total view time", "on screen, all views together", duration),
    Metric("avg_view_secs", "Average view time", "per view that was measured", duration),
    Metric("items_per_100_views", "Items opened", "per 100 views", tenths),
    Metric("share_to_other_merchants", "Went to other merchants", "of all views, as the next screen", percent),
]


def middle(values: Sequence[float]) -> float:
    """Return the median of sorted ``values``; of an odd number, the mean of the three in the middle.

    The one in the middle would be the figure of one merchant.
    """
    ends = (len(values) - 2) // 2
    return fmean(values[ends : len(values) - ends])


class Sizes:
    """Merchants in four groups of equal number, by their views that are shown."""

    names = ("the smallest quarter", "the second smallest quarter", "the second largest quarter", "the largest quarter")

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
        return self.names[self._group[merchant]]

    def others(self, merchant: str) -> int:
        """Return how many other merchants are in the group of ``merchant``, 0 where it is in none."""
        group = self._group.get(merchant)
        return len(self._values[group, "views"]) - 1 if group is not None else 0

    def middle(self, merchant: str, metric: Metric, own: float | None) -> float | None:
        """Return what is usual among the others in the group, None where they are too few."""
        group = self._group.get(merchant)
        if group is None:
            return None
        values = self._values[group, metric.key]
        at = bisect_left(values, own) if own is not None else len(values)
        others = values[:at] + values[at + 1 :]
        return middle(others) if len(others) >= FEWEST_OTHERS else None


# ---------- the marts


class Marts:
    """What the marts hold of the dates ``asked`` for, and of those before them.

    Raises ReportError when the file cannot be opened, holds no marts, or nothing in these dates.
    """

    def __init__(self, database: Path, first: date | None, last: date | None) -> None:
        if not database.exists():
            raise ReportError(f"{database} is not there. Run `make build` first, or name a database with --database.")
        try:
            self._connection = duckdb.connect()
            path = str(database).replace("'", "''")
            # Under a name of our own: a file called marts.duckdb would be taken for the schema.
            self._connection.execute(f"attach '{path}' as source (read_only); use source")
            self._query("from marts.merchant_hourly limit 0")
            bounds = self._query("select min(date), max(date) from marts.merchant_flyer_daily where merchant_id <> ''")
        except duckdb.CatalogException as error:
            raise ReportError(f"{database} holds no marts. Run `make build` first.") from error
        except duckdb.Error as error:
            raise ReportError(f"{database} cannot be read: {error}\nDuring a build, wait for its end.") from error
        if bounds[0][0] is None:
            raise ReportError(f"No merchant has data in {database}. Load events with `make load`, then `make build`.")
        self.known = Range(*bounds[0])
        self.asked = self._within(first, last)
        self.has_before = self.known.first <= self.asked.before.first
        # Sorted by merchant, each page reads a small part of them.
        for table, mart in (("cells", "merchant_flyer_daily"), ("hours", "merchant_hourly")):
            self._query(
                f"create temp table {table} as from marts.{mart} where date between ? and ? order by merchant_id, date",
                self.asked.first,
                self.asked.last,
            )
        self.totals = self._totals("cells", self.asked)
        self.before = self._totals("marts.merchant_flyer_daily", self.asked.before) if self.has_before else {}
        self.sizes = Sizes(self.totals)

    def close(self) -> None:
        self._connection.close()

    def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def _within(self, first: date | None, last: date | None) -> Range:
        """Return the dates asked for as far as there are data: the last seven, unless asked otherwise."""
        last = last or self.known.last
        first = first or last - timedelta(days=DAYS - 1)
        if first > last:
            raise ReportError(f"--from {first} is after --to {last}.")
        found = Range(max(first, self.known.first), min(last, self.known.last))
        if found.first > found.last:
            raise ReportError(
                f"No data from {first} to {last}: there are from {self.known.first} to {self.known.last}."
            )
        return found

    def _totals(self, cells: str, dates: Range) -> dict[str, Figures]:
        rows = self._query(
            f"select merchant_id, {FIGURES} from {cells} where merchant_id is not null and date between ? and ?"
            " group by merchant_id order by merchant_id",
            dates.first,
            dates.last,
        )
        return {merchant: Figures(*figures) for merchant, *figures in rows}

    def without_merchant(self) -> Figures:
        return Figures(*self._query(f"select {FIGURES} from cells where merchant_id is null")[0])

    def by(self, key: str, merchant: str) -> dict[Any, Figures]:
        """Return the figures of ``merchant`` for each ``date`` or ``flyer_id``, in order."""
        rows = self._query(f"select {key}, {FIGURES} from cells where merchant_id = ? group by 1 order by 1", merchant)
        return {value: Figures(*figures) for value, *figures in rows}

    def cells(self, merchant: str) -> list[dict[str, Any]]:
        found = self._connection.execute(
            f"select {CELLS}, is_suppressed from cells where merchant_id = ? order by date, flyer_id", [merchant]
        )
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def hours(self, merchant: str) -> list[tuple[date, int | None, int | None, int]]:
        """Return date, hour, readers and views of ``merchant``; hours that stand together are None."""
        return self._query(
            "select date, hour, readers, views from hours where merchant_id = ? order by date, hour nulls last",
            merchant,
        )

    def find(self, merchant: str | None) -> None:
        """Raise ReportError where ``merchant``, or any, has no data, and say what there is."""
        if merchant in self.totals or (merchant is None and self.totals):
            return
        if merchant is None:
            raise ReportError(f"No merchant has data from {self.asked.first} to {self.asked.last}.")
        dates = self._query(
            "select count(distinct date), min(date), max(date) from marts.merchant_flyer_daily where merchant_id = ?",
            merchant,
        )[0]
        if dates[0]:
            raise ReportError(
                f"Merchant {merchant!r} has no data from {self.asked.first} to {self.asked.last}. It has on {dates[0]} "
                f"date{'s' * (dates[0] > 1)} from {dates[1]} to {dates[2]}."
            )
        ids = [row[0] for row in self._query("select distinct merchant_id from cells where merchant_id is not null")]
        near = ", ".join(map(repr, difflib.get_close_matches(merchant, ids)))
        raise ReportError(
            f"No merchant {merchant!r}. {len(ids):,} have data from {self.asked.first} to {self.asked.last}"
            f"{f', such as {near}' if near else ''}. An id is text, in which zeros in front count."
        )


# ---------- a page


def file_stem(merchant: str, dates: Range) -> str:
    """Return a name that any file system takes, another for any other merchant.

    Lower-case ids without signs stand in it as they are; no other name can be mistaken for theirs, as it has a hyphen.
    """
    name = merchant
    if not re.fullmatch(r"[0-9a-z]{1,40}", merchant):
        readable = re.sub(r"[^0-9a-z]+", "-", merchant.lower()).strip("-")[:24]
        name = f"{readable}-{hashlib.sha256(merchant.encode()).hexdigest()[:16]}"
    days = f"{dates.first}" if dates.days == 1 else f"{dates.first}_{dates.last}"
    return f"merchant_{name}_{days}"


def headlines(marts: Marts, merchant: str) -> list[dict[str, str | None]]:
    figures, before = marts.totals[merchant], marts.before.get(merchant)
    shown = []
    for metric in METRICS:
        value, then = metric.of(figures), metric.of(before)
        others = marts.sizes.middle(merchant, metric, value)
        shown.append(
            {
                "key": metric.key,
                "label": metric.label,
                "note": metric.note,
                "value": None if value is None else metric.show(value),
                "change": metric.change(figures, before),
                "before": None if then is None else metric.show(then),
                "others": None if others is None else metric.show(others),
            }
        )
    return shown


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def day_charts(dates: Range, days: dict[date, Figures]) -> tuple[charts.Columns, charts.Columns]:
    """Return readers and average view time of each day."""
    readers, times = [], []
    for day in dates.dates:
        figures, name, label = days.get(day), day_name(day), f"{day.day} {day:%b}"
        few = figures is not None and not figures.shown
        count, secs = (figures.readers, figures.avg_view_secs) if figures else (None, None)
        said = counted(count, "reader") if count else "too few readers to show" if few else "not read"
        readers.append(charts.Value(label, f"{name}: {said}", count, few))
        untimed = figures is not None and secs is None
        said = duration(secs) if secs is not None else "too few readers to show" if untimed else "not read"
        times.append(charts.Value(label, f"{name}: {said}", secs, untimed))
    return charts.columns(readers, number), charts.columns(times, tick, charts.SECONDS)


def hour_chart(hours: dict[int | None, int]) -> charts.Columns:
    values = [
        charts.Value(
            f"{hour}:00",
            f"{hour}:00 to {hour}:59: {counted(hours[hour], 'view') if hour in hours else 'none shown'}",
            hours.get(hour),
        )
        for hour in range(24)
    ]
    return charts.columns(values, number, labelled=(3, 6))


def flyer_chart(flyers: Sequence[tuple[str, Figures]], average: float) -> charts.Scatter | None:
    """Return readers against average view time of ``flyers``; None where fewer than three have both."""
    points = [
        (
            float(figures.readers),
            figures.avg_view_secs,
            str(place) if place <= MOST_FLYERS else "",
            f"{flyer}: {counted(figures.readers, 'reader')}, {duration(figures.avg_view_secs)} per view",
        )
        for place, (flyer, figures) in enumerate(flyers, 1)
        if figures.readers and figures.avg_view_secs is not None
    ]
    return charts.scatter(points, average, tick, charts.SECONDS) if len(points) >= 3 else None


def page_data(marts: Marts, merchant: str, stem: str) -> dict[str, Any]:
    """Return what the page of ``merchant`` says."""
    figures = marts.totals[merchant]
    days = marts.by("date", merchant)
    flyers = sorted(
        marts.by("flyer_id", merchant).items(),
        key=lambda item: (-(item[1].readers or 0), -(item[1].views or 0), item[0]),
    )
    shown = [(flyer, each) for flyer, each in flyers if each.shown]
    cells = marts.cells(merchant)
    hours: dict[int | None, int] = defaultdict(int)
    for _, hour, _, views in marts.hours(merchant):
        hours[hour] += views
    readers_by_day, times_by_day = day_charts(marts.asked, days)
    return {
        "merchant": merchant,
        "stem": stem,
        "dates": marts.asked,
        "known": marts.known,
        "has_before": marts.has_before,
        "figures": figures,
        "headlines": headlines(marts, merchant),
        "size": marts.sizes.name(merchant) if figures.views else None,
        "others": marts.sizes.others(merchant),
        "flyers": shown[:MOST_FLYERS],
        "shown_flyers": len(shown),
        "hidden_flyers": len(flyers) - len(shown),
        "longest": max((each.total_view_secs or 0 for _, each in shown), default=0),
        "medians": {cell["flyer_id"]: cell["median_view_secs"] for cell in cells} if marts.asked.days == 1 else {},
        "flyer_chart": flyer_chart(shown, figures.avg_view_secs or 0),
        "cells": [cell for cell in reversed(cells) if not cell["is_suppressed"]][:MOST_CELLS],
        "hours": hours,
        "hour_chart": hour_chart(hours),
        "days": days,
        "has_hidden_days": any(column.is_hidden for column in times_by_day.columns),
        "readers_by_day": readers_by_day,
        "times_by_day": times_by_day,
        "all_cells": cells,
    }


def safe_in_a_spreadsheet(text: str) -> str:
    """Return an id with a ' in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    # The mark in front tells Excel that it is UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def remark(cell: dict[str, Any]) -> str:
    if cell["is_suppressed"]:
        return "too few readers to show"
    return "too few readers were measured to show a time" if cell["total_view_secs"] is None else ""


def write_data(folder: Path, stem: str, marts: Marts, merchant: str, cells: list[dict[str, Any]]) -> None:
    """Write the rows of ``merchant`` beside its page."""
    names = [name.strip() for name in CELLS.split(",")]
    own = safe_in_a_spreadsheet(merchant)
    write_csv(
        folder / f"{stem}.csv",
        ["merchant_id", *names, "remark"],
        (
            [own, safe_in_a_spreadsheet(cell["flyer_id"])] + [cell[name] for name in names[1:]] + [remark(cell)]
            for cell in cells
        ),
    )
    write_csv(
        folder / f"{stem}_hours.csv",
        ["merchant_id", "date", "hour", "readers", "views", "remark"],
        (
            [own, day, hour, readers, views, "hours with too few readers, together" if hour is None else ""]
            for day, hour, readers, views in marts.hours(merchant)
        ),
    )


# ---------- the folder


def templates() -> jinja2.Environment:
    """Return the templates, which know how figures are spelled and what the project's vars are."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        number=number, duration=duration, percent=percent, tenths=tenths, day_name=day_name, counted=counted
    )
    environment.filters["px"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".")
    environment.globals["settings"] = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    environment.globals["fewest_others"] = FEWEST_OTHERS
    return environment


def with_progress(merchants: Sequence[str]) -> Iterator[str]:
    """Yield ``merchants``, with a bar for whoever looks on."""
    for done, merchant in enumerate(merchants, 1):
        yield merchant
        if sys.stderr.isatty():
            filled = 30 * done // len(merchants)
            end = "\n" if done == len(merchants) else ""
            print(f"\r[{'#' * filled:<30}] {done:,} of {len(merchants):,} pages", end=end, file=sys.stderr, flush=True)


def write_pages(marts: Marts, merchant: str | None, folder: Path) -> list[Path]:
    """Write the page of ``merchant``, or of all and an index, into ``folder``, and return the pages."""
    environment = templates()
    page = environment.get_template("merchant.html")
    merchants = [merchant] if merchant is not None else list(marts.totals)
    stems = {each: file_stem(each, marts.asked) for each in merchants}
    for each in with_progress(merchants):
        data = page_data(marts, each, stems[each])
        (folder / f"{stems[each]}.html").write_text(page.render(data), encoding="utf-8", newline="\n")
        write_data(folder, stems[each], marts, each, data["all_cells"])
    definitions = environment.get_template("definitions.html").render(dates=marts.asked)
    (folder / "definitions.html").write_text(definitions, encoding="utf-8", newline="\n")
    if merchant is None:
        index = environment.get_template("index.html").render(
            dates=marts.asked,
            known=marts.known,
            stems=stems,
            merchants=sorted(marts.totals.items(), key=lambda item: (-(item[1].views or 0), item[0])),
            without_merchant=marts.without_merchant(),
        )
        (folder / "index.html").write_text(index, encoding="utf-8", newline="\n")
    return [folder / f"{stem}.html" for stem in stems.values()]


def check_replaceable(folder: Path) -> None:
    """Raise ReportError where something else than pages would be lost."""
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / MARK).is_file():
        raise ReportError(f"{folder} is there and holds no merchant pages. Name another folder with --out.")


def write_report(database: Path, out: Path, merchant: str | None, first: date | None, last: date | None) -> list[Path]:
    """Write the folder ``out`` and return its pages. It is written aside and takes the place of an older one whole.

    Raises ReportError when there is nothing to write, or ``out`` holds something else; it then stays as it was.
    """
    out = out.resolve()
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        closing(Marts(database, first, last)) as marts,
        TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as aside,
    ):
        marts.find(merchant)
        new, old = Path(aside, "new"), Path(aside, "old")
        new.mkdir()
        (new / MARK).touch()
        pages = write_pages(marts, merchant, new)
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    return [out / page.name for page in pages]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flyer_analytics.pages", description="Write pages for merchants.")
    parser.add_argument("--merchant", metavar="ID", help="only this one, without the index (default: all)")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="YYYY-MM-DD", help="first date")
    parser.add_argument(
        "--to",
        dest="last",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="last date (default: the last with data)",
    )
    parser.add_argument("--out", type=Path, default=Path("report"), metavar="FOLDER", help="default: report")
    parser.add_argument(
        "--database",
        type=Path,
        default=publish.published_path() / publish.COPY,
        metavar="FILE",
        help="the marts (default: the published copy)",
    )
    parser.epilog = f"Without --from, the {DAYS} days up to --to, as far as there are data."
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        pages = write_report(options.database, options.out, options.merchant, options.first, options.last)
    except (ReportError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    start = pages[0] if options.merchant is not None else pages[0].with_name("index.html")
    print(f"{counted(len(pages), 'page')}: open {start}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
