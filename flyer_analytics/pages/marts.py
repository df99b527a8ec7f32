"""Queries on the two marts that hold what a merchant may see."""

import difflib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from flyer_analytics.explained import explained
from flyer_analytics.pages.comparison import SizeGroups
from flyer_analytics.pages.dates import DateRange
from flyer_analytics.pages.figures import Figures
from flyer_analytics.text import counted, sql_text

DEFAULT_DAYS = 7
CELL_COLUMNS = [
    "flyer_id",
    "date",
    "readers",
    "views",
    "measured_views",
    "total_view_secs",
    "avg_view_secs",
    "median_view_secs",
    "items_opened",
    "views_to_other_merchants",
    "share_to_other_merchants",
]
# In the order of the fields of Figures.
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


class PagesError(Exception):
    """The pages cannot be written. The message says why, and what to do."""


class NoDataError(PagesError):
    """There are no marts, or they have no rows."""


def why_nobody_has_data(rows: int, first: date | None, last: date | None) -> str:
    """Return why no row is of a merchant, if there are ``rows`` of unknown ones from ``first`` to ``last``."""
    if rows:
        return (
            f"the merchants of all {counted(rows, 'row')} from {first} to {last} are unknown. Check the column"
            " merchant_id of the loaded files."
        )
    return (
        "no event shows a flyer. Load events with `make load`, then run `make build`. Which ones show a flyer is in"
        " seeds/event_types.csv."
    )


class Marts:
    """The marts for the requested dates, and for the same number of dates before.

    A cell is a row of merchant_flyer_daily: one flyer on one date. Raises PagesError if the file cannot be opened, or
    has no data for these dates; NoDataError if there are none at all.
    """

    def __init__(self, database: Path, first: date | None, last: date | None) -> None:
        if not database.exists():
            raise NoDataError(f"{database} does not exist. Run `make build` first, or name a database with --database.")
        try:
            self._connection = duckdb.connect()
            # With an alias: the catalog of a file called marts.duckdb would hide the schema `marts`.
            self._connection.execute(f"attach {sql_text(database)} as source (read_only); use source")
            self._query("from marts.merchant_hourly limit 0")
            bounds = self._query("select min(date), max(date) from marts.merchant_flyer_daily where merchant_id <> ''")
            unknown = self._query("select count(*), min(date), max(date) from marts.merchant_flyer_daily")[0]
        except duckdb.CatalogException as error:
            raise NoDataError(f"{database} has no marts. Run `make build` first.") from error
        except duckdb.Error as error:
            raise PagesError(f"No pages were written: {explained(error)}") from error
        if bounds[0][0] is None:
            raise NoDataError(f"No merchant has data in {database}: {why_nobody_has_data(*unknown)}")
        self.available = DateRange(*bounds[0])
        self.dates = self._available_dates(first, last)
        self.has_previous = self.available.first <= self.dates.previous.first
        # Sorted by merchant, so that each page reads only a small part.
        for table, mart in (("cells", "merchant_flyer_daily"), ("hours", "merchant_hourly")):
            self._query(
                f"create temp table {table} as from marts.{mart} where date between ? and ? order by merchant_id, date",
                self.dates.first,
                self.dates.last,
            )
        self.totals = self._totals("cells", self.dates)
        self.previous = self._totals("marts.merchant_flyer_daily", self.dates.previous) if self.has_previous else {}
        self.sizes = SizeGroups(self.totals)

    def close(self) -> None:
        self._connection.close()

    def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def _available_dates(self, first: date | None, last: date | None) -> DateRange:
        """Return those of the requested dates for which there are data; by default the last DEFAULT_DAYS days."""
        if first and last and first > last:
            raise PagesError(f"--from {first} is after --to {last}.")
        last = last or max(self.available.last, first or date.min)
        first = first or last - timedelta(days=DEFAULT_DAYS - 1)
        found = DateRange(max(first, self.available.first), min(last, self.available.last))
        if found.first > found.last:
            raise PagesError(
                f"No data from {first} to {last}. There are data from {self.available.first} to {self.available.last}."
            )
        return found

    def _totals(self, cells: str, dates: DateRange) -> dict[str, Figures]:
        rows = self._query(
            f"select merchant_id, {FIGURES} from {cells} where merchant_id is not null and date between ? and ?"
            " group by merchant_id order by merchant_id",
            dates.first,
            dates.last,
        )
        return {merchant: Figures(*figures) for merchant, *figures in rows}

    def without_merchant(self) -> Figures:
        """Return the figures of flyers whose merchant is unknown."""
        return Figures(*self._query(f"select {FIGURES} from cells where merchant_id is null")[0])

    def by_date(self, merchant: str) -> dict[date, Figures]:
        """Return the figures of ``merchant`` per date, in order."""
        return self._by("date", merchant)

    def by_flyer(self, merchant: str) -> dict[str, Figures]:
        """Return the figures of ``merchant`` per flyer, in order of their ids."""
        return self._by("flyer_id", merchant)

    def _by(self, column: str, merchant: str) -> dict[Any, Figures]:
        rows = self._query(
            f"select {column}, {FIGURES} from cells where merchant_id = ? group by 1 order by 1", merchant
        )
        return {value: Figures(*figures) for value, *figures in rows}

    def cells(self, merchant: str) -> list[dict[str, Any]]:
        """Return the cells of ``merchant`` by date and flyer: CELL_COLUMNS and is_suppressed, times in seconds."""
        columns = [*CELL_COLUMNS, "is_suppressed"]
        rows = self._query(
            f"select {', '.join(columns)} from cells where merchant_id = ? order by date, flyer_id", merchant
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def hours(self, merchant: str) -> list[tuple[date, int | None, int | None, int]]:
        """Return date, hour, readers and views of ``merchant``. Combined hours have neither hour nor readers."""
        return self._query(
            "select date, hour, readers, views from hours where merchant_id = ? order by date, hour nulls last",
            merchant,
        )

    def require(self, merchant: str | None) -> None:
        """Raise PagesError if ``merchant`` has no data, or if no merchant has any, and say what there is."""
        if merchant in self.totals or (merchant is None and self.totals):
            return
        if merchant is None:
            raise PagesError(f"No merchant has data from {self.dates.first} to {self.dates.last}.")
        count, first, last = self._query(
            "select count(distinct date), min(date), max(date) from marts.merchant_flyer_daily where merchant_id = ?",
            merchant,
        )[0]
        if count:
            raise PagesError(
                f"Merchant {merchant!r} has no data from {self.dates.first} to {self.dates.last}. It has data on "
                f"{counted(count, 'date')} from {first} to {last}."
            )
        ids = list(self.totals)
        similar = ", ".join(map(repr, difflib.get_close_matches(merchant, ids)))
        raise PagesError(
            f"No merchant {merchant!r} from {self.dates.first} to {self.dates.last}. "
            f"{counted(len(ids), 'merchant has', 'merchants have')} data"
            f"{f'; similar ids: {similar}' if similar else ''}. Ids are text, so leading zeros matter."
        )
