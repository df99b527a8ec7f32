"""Ad hoc questions about merchants, flyers and dates, in a browser: ``make explore``.

Reads the published copy alone, so that it may stay open during builds; a new copy shows as soon as anything is clicked.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import pandas as pd
import streamlit as st

from flyer_analytics.publish import COPY, published_path

SHOWN_ROWS = 1000  # of a table; the download has them all
NAMED_DATES = 7  # of those without rows
EVERY_DAY_TO = 10  # dates, on the axis of the chart
MEASURES = {"avg_view_secs": "View time", "avg_time_spent_in_secs": "Time spent"}
COLOURS = ["#2b6ca3", "#d95f0e"]
LABELS = {
    "date": "Date",
    "merchant_id": "Merchant",
    "flyer_id": "Flyer",
    "avg_view_secs": "View time, average (s)",
    "avg_time_spent_in_secs": "Time spent, average (s)",
    "readers": "Readers",
    "views": "Views",
    "total_view_secs": "View time, total (s)",
    "total_time_spent_in_secs": "Time spent, total (s)",
    "measured_views": "Measured views",
    "measured_gaps": "Measured gaps",
}
Ids = dict[str, str | None]  # by column, those that were picked; None is an unknown merchant

DESCRIPTIONS = """
    select column_name, comment from duckdb_columns()
    where schema_name = 'marts' and table_name = 'merchant_flyer_engagement'
"""
DATES = "select min(date) as first, max(date) as last from marts.merchant_flyer_engagement"
IDS = """
    select {column} from marts.merchant_flyer_engagement
    where {where}
    group by {column} order by sum(views) desc, {column}
"""
# A null average stays null: what was not measured is not 0. The inner decimal lets exact halves round up.
FIGURES = """
    select
        {rows}
        (sum(total_view_secs) / sum(measured_views))::decimal(18, 6)::decimal(18, 2) as avg_view_secs,
        (sum(total_time_spent_in_secs) / sum(measured_gaps))::decimal(18, 6)::decimal(18, 2) as avg_time_spent_in_secs,
        count(distinct user_id) as readers,
        coalesce(sum(views), 0)::bigint as views,
        sum(total_view_secs)::decimal(18, 2) as total_view_secs,
        sum(total_time_spent_in_secs)::decimal(18, 2) as total_time_spent_in_secs,
        coalesce(sum(measured_views), 0)::bigint as measured_views,
        coalesce(sum(measured_gaps), 0)::bigint as measured_gaps
    from marts.merchant_flyer_engagement
    where
        {where}
        and date between $first and $last
    {group_by}
    order by {order_by}
"""


def where(ids: Ids) -> str:
    return " and ".join(["true", *(f"{column} is not distinct from ${column}" for column in ids)])


@st.cache_data(max_entries=20, show_spinner="Asking the published copy")
def answer(copy: Path, written: int, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Return what ``sql`` finds in the copy that was ``written`` at that time (ns)."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        return connection.execute(sql, parameters).df()


def ask(sql: str, **parameters: Any) -> pd.DataFrame:
    copy = published_path() / COPY
    return answer(copy, copy.stat().st_mtime_ns, sql, parameters)


def pick_id(column: str, known: Ids) -> Ids:
    """Offer the ids of ``column`` beside the ids that are ``known`` already, the most viewed first."""
    label = LABELS[column]
    found = ask(IDS.format(column=column, where=where(known)), **known)[column]
    picked = st.selectbox(
        label,
        [(None if pd.isna(it) else str(it),) for it in found],
        index=None,
        format_func=lambda option: option[0] or f"{label} unknown",
        placeholder=f"All {len(found):,}",
        key=column,
    )
    return {} if picked is None else {column: picked[0]}


def pick_dates(first: date, last: date) -> tuple[date, date]:
    picked = st.date_input("Dates", (first, last), min_value=first, max_value=last, key="dates")
    if len(picked) != 2:
        st.info("Pick the last date too.")
        st.stop()
    return picked


def seconds(value: float) -> str:
    return "not measured" if pd.isna(value) else f"{value:,.2f} s"


def show_headline(total: dict[str, Any], descriptions: dict[str, str]) -> None:
    """Show the two measures side by side, and how much they measured."""
    averages, counts = st.columns(2)
    with averages.container(horizontal=True):
        for name, measure in MEASURES.items():
            st.metric(f"{measure}, average", seconds(total[name]), help=descriptions[name], border=True)
    with counts.container(horizontal=True):
        for name in ("views", "readers"):
            st.metric(LABELS[name], f"{total[name]:,}", help=descriptions.get(name), border=True)
    if unmeasured := total["views"] - total["measured_views"]:
        st.caption(
            f"{unmeasured:,} of {total['views']:,} views could not be measured: nothing came after them, or not within"
            " the timeout. They count as views and are in no average."
        )


def show_dates(by_date: pd.DataFrame, first: date, last: date) -> None:
    """Draw both averages date by date, and name the dates that have no rows."""
    st.subheader("Average seconds, date by date")
    days = pd.date_range(first, last, name="date")
    averages = by_date.set_index("date")[list(MEASURES)].rename(columns=MEASURES).reindex(days)
    chart = alt.Chart(averages.reset_index().melt("date", var_name="measure", value_name="seconds"))
    colours = alt.Scale(domain=list(MEASURES.values()), range=COLOURS)
    every_day = alt.Axis(format="%b %d", tickCount="day") if len(days) <= EVERY_DAY_TO else alt.Axis()
    chart = chart.mark_line(point=True).encode(
        alt.X("date:T", title=None, axis=every_day),
        alt.Y("seconds:Q", title="seconds"),
        alt.Color("measure:N", title=None, legend=alt.Legend(orient="top"), scale=colours),
        tooltip=["date:T", "measure:N", "seconds:Q"],
    )
    st.altair_chart(chart.properties(height=260))
    if missing := [f"{day:%Y-%m-%d}" for day in days.difference(by_date["date"])]:
        more = f" and {len(missing) - NAMED_DATES:,} more" if len(missing) > NAMED_DATES else ""
        st.caption(f"No rows on {len(missing):,} of {len(days):,} dates: {', '.join(missing[:NAMED_DATES])}{more}.")


def shown_as(column: str, description: str | None) -> Any:
    if column == "date":
        return st.column_config.DateColumn(LABELS[column], help=description)
    if column.endswith("_secs"):
        return st.column_config.NumberColumn(LABELS[column], help=description, format="%.2f")
    return st.column_config.Column(LABELS[column], help=description)


def csv(table: pd.DataFrame) -> str:
    """Return all rows, in the marts' own names; what is null stays empty."""
    return str(table.to_csv(index=False, float_format="%.2f"))


def show_table(table: pd.DataFrame, descriptions: dict[str, str]) -> None:
    columns = {column: shown_as(column, descriptions.get(column)) for column in table.columns}
    st.dataframe(table.head(SHOWN_ROWS), hide_index=True, column_config=columns, placeholder="-")
    if table.isna().any(axis=None):
        st.caption("A dash is not 0: the time could not be measured, or the merchant is not known.")
    if len(table) > SHOWN_ROWS:
        st.caption(f"The first {SHOWN_ROWS:,} of {len(table):,} rows; the download has them all.")
    st.download_button(
        f"Download CSV, {len(table):,} rows",
        lambda: csv(table),
        file_name="flyers.csv",
        mime="text/csv",
        on_click="ignore",
    )


def figures(rows: list[str], ids: Ids, first: date, last: date) -> pd.DataFrame:
    """Return both measures, one row for each value of the columns ``rows``, the whole where there are none."""
    listed = ", ".join(rows)
    sql = FIGURES.format(
        rows=f"{listed}," if rows else "",
        group_by=f"group by {listed}" if rows else "",
        order_by=", ".join(["date"] * ("date" in rows) + ["total_view_secs desc nulls last", *rows]),
        where=where(ids),
    )
    return ask(sql, **ids, first=first, last=last)


def main() -> None:
    st.set_page_config("Flyer explorer", layout="wide")
    st.title("Flyer explorer")
    copy = published_path() / COPY
    if not copy.exists():
        st.info(
            f"Nothing has been published yet: there is no {copy.resolve()}. Run `make build`, then reload this page."
        )
        st.stop()
    known_dates = ask(DATES).iloc[0]
    if pd.isna(known_dates["first"]):
        st.info("The published marts have no rows: no event that was loaded shows a flyer.")
        st.stop()
    written = datetime.fromtimestamp(copy.stat().st_mtime).astimezone()
    st.caption(f"Marts published {written:%Y-%m-%d %H:%M %Z}")
    descriptions = dict(ask(DESCRIPTIONS).to_numpy().tolist())

    for_merchant, for_flyer, for_dates = st.columns(3)
    with for_merchant:
        ids = pick_id("merchant_id", {})
    with for_flyer:
        ids |= pick_id("flyer_id", ids)
    with for_dates:
        first, last = pick_dates(known_dates["first"].date(), known_dates["last"].date())

    by_date = figures(["date"], ids, first, last)
    if by_date.empty:
        st.info("No rows for this choice: nobody opened these flyers on these dates. Pick other dates.")
        st.stop()
    show_headline(figures([], ids, first, last).to_dict("records")[0], descriptions)
    show_dates(by_date, first, last)
    st.subheader("Figures")
    options = ["date", "merchant_id", "flyer_id"]
    rows = st.pills(
        "One row for each",
        options,
        selection_mode="multi",
        default=["merchant_id", "flyer_id"],
        format_func=lambda column: LABELS[column],
        key="rows",
    )
    show_table(figures([column for column in options if column in rows], ids, first, last), descriptions)
    st.caption(
        "For internal use: small groups of readers are not suppressed here. Time spent credits a flyer with the time"
        " before it was opened; view time is what was on screen."
    )


if __name__ == "__main__":
    main()
