"""A Streamlit app for ad hoc questions about merchants, flyers and dates: ``make explore``.

It reads only the published copy, so it can stay open during builds. After a new copy has been published, the next
click shows its data.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import pandas as pd
import streamlit as st

from flyer_analytics.dbt_profile import database_path
from flyer_analytics.explained import explained
from flyer_analytics.publish import COPY, published_path
from flyer_analytics.rejections import why_nothing_is_usable

MAX_ROWS = 1000  # of the table; the download has all rows
MAX_NAMED_DATES = 7  # in the list of dates without rows
MAX_DAILY_TICKS = 10  # dates for which the axis of the chart has a tick each
MEASURES = {"avg_view_secs": "Average view time", "avg_time_spent_in_secs": "Average time spent"}
COLOURS = ["#2b6ca3", "#d95f0e"]
LABELS = {
    "date": "Date",
    "merchant_id": "Merchant",
    "flyer_id": "Flyer",
    "avg_view_secs": "Average view time (s)",
    "avg_time_spent_in_secs": "Average time spent (s)",
    "readers": "Readers",
    "views": "Views",
    "total_view_secs": "Total view time (s)",
    "total_time_spent_in_secs": "Total time spent (s)",
    "measured_views": "Measured views",
    "measured_gaps": "Measured gaps",
}
Ids = dict[str, str | None]  # the selected id per column; None is an unknown merchant

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
# An average stays null if nothing was measured. The inner decimal rounds exact halves up.
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


@st.cache_data(max_entries=20, show_spinner="Querying the published copy")
def answer(copy: Path, written: int, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Return the rows of ``sql``. ``written``, the time of the copy in ns, makes a new copy miss the cache."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        return connection.execute(sql, parameters).df()


def ask(sql: str, **parameters: Any) -> pd.DataFrame:
    copy = published_path() / COPY
    try:
        return answer(copy, copy.stat().st_mtime_ns, sql, parameters)
    except (duckdb.Error, OSError) as error:
        st.error(explained(error))
        st.stop()


def pick_id(column: str, known: Ids) -> Ids:
    """Show a select box with the ids of ``column`` that occur with the ``known`` ids, sorted by views."""
    label = LABELS[column]
    found = ask(IDS.format(column=column, where=where(known)), **known)[column]
    picked = st.selectbox(
        label,
        [(None if pd.isna(it) else str(it),) for it in found],
        index=None,
        format_func=lambda option: option[0] or f"Unknown {label.lower()}",
        placeholder=f"All {len(found):,}",
        key=column,
    )
    return {} if picked is None else {column: picked[0]}


def pick_dates(first: date, last: date) -> tuple[date, date]:
    picked = st.date_input("Dates", (first, last), min_value=first, max_value=last, key="dates")
    if len(picked) != 2:
        st.info("Select an end date as well.")
        st.stop()
    return picked


def seconds(value: float) -> str:
    return "not measured" if pd.isna(value) else f"{value:,.2f} s"


def show_headline(total: dict[str, Any], descriptions: dict[str, str]) -> None:
    """Show both averages, views and readers, and how many views could not be measured."""
    averages, counts = st.columns(2)
    with averages.container(horizontal=True):
        for name, measure in MEASURES.items():
            st.metric(measure, seconds(total[name]), help=descriptions[name], border=True)
    with counts.container(horizontal=True):
        for name in ("views", "readers"):
            st.metric(LABELS[name], f"{total[name]:,}", help=descriptions.get(name), border=True)
    if unmeasured := total["views"] - total["measured_views"]:
        st.caption(
            f"{unmeasured:,} of {total['views']:,} views could not be measured, because no other event followed within"
            " the timeout. They are counted as views, but are not part of the averages."
        )


def show_dates(by_date: pd.DataFrame, first: date, last: date) -> None:
    """Show both averages as a chart by date, and list the dates without rows."""
    st.subheader("Averages by date")
    days = pd.date_range(first, last, name="date")
    averages = by_date.set_index("date")[list(MEASURES)].rename(columns=MEASURES).reindex(days)
    chart = alt.Chart(averages.reset_index().melt("date", var_name="measure", value_name="seconds"))
    colours = alt.Scale(domain=list(MEASURES.values()), range=COLOURS)
    axis = alt.Axis(format="%Y-%m-%d")
    if len(days) <= MAX_DAILY_TICKS:
        axis.tickCount = "day"
    chart = chart.mark_line(point=True).encode(
        alt.X("date:T", title=None, axis=axis),
        alt.Y("seconds:Q", title="seconds"),
        alt.Color("measure:N", title=None, legend=alt.Legend(orient="top"), scale=colours),
        tooltip=["date:T", "measure:N", "seconds:Q"],
    )
    st.altair_chart(chart.properties(height=260))
    if missing := [f"{day:%Y-%m-%d}" for day in days.difference(by_date["date"])]:
        more = f" and {len(missing) - MAX_NAMED_DATES:,} more" if len(missing) > MAX_NAMED_DATES else ""
        st.caption(f"No rows on {len(missing):,} of {len(days):,} dates: {', '.join(missing[:MAX_NAMED_DATES])}{more}.")


def shown_as(column: str, description: str | None) -> Any:
    if column == "date":
        return st.column_config.DateColumn(LABELS[column], help=description)
    if column.endswith("_secs"):
        return st.column_config.NumberColumn(LABELS[column], help=description, format="%.2f")
    return st.column_config.Column(LABELS[column], help=description)


def csv(table: pd.DataFrame) -> str:
    """Return all rows under the column names of the marts; nulls are empty."""
    return str(table.to_csv(index=False, float_format="%.2f"))


def show_table(table: pd.DataFrame, descriptions: dict[str, str]) -> None:
    columns = {column: shown_as(column, descriptions.get(column)) for column in table.columns}
    st.dataframe(table.head(MAX_ROWS), hide_index=True, column_config=columns, placeholder="-")
    if table.isna().any(axis=None):
        st.caption(
            "A dash means that the time could not be measured or that the merchant is unknown. It does not mean 0."
        )
    if len(table) > MAX_ROWS:
        st.caption(f"Showing the first {MAX_ROWS:,} of {len(table):,} rows. The download has all of them.")
    st.download_button(
        f"Download as CSV ({len(table):,} rows)",
        lambda: csv(table),
        file_name="flyers.csv",
        mime="text/csv",
        on_click="ignore",
    )


def figures(rows: list[str], ids: Ids, first: date, last: date) -> pd.DataFrame:
    """Return both measures, one row per combination of the columns ``rows``, or one row in total if there are none."""
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
            why_nothing_is_usable(database_path())
            or f"Nothing has been published yet: {copy.resolve()} does not exist. Run `make build`, then reload this"
            " page."
        )
        st.stop()
    known_dates = ask(DATES).iloc[0]
    if pd.isna(known_dates["first"]):
        st.info("The published marts are empty: none of the loaded events shows a flyer.")
        st.stop()
    written = datetime.fromtimestamp(copy.stat().st_mtime).astimezone()
    st.caption(f"Published {written:%Y-%m-%d %H:%M %Z}")
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
        st.info("No rows for this selection: nobody opened these flyers on these dates. Select other dates.")
        st.stop()
    show_headline(figures([], ids, first, last).to_dict("records")[0], descriptions)
    show_dates(by_date, first, last)
    st.subheader("Figures")
    options = ["date", "merchant_id", "flyer_id"]
    rows = st.pills(
        "One row per",
        options,
        selection_mode="multi",
        default=["merchant_id", "flyer_id"],
        format_func=lambda column: LABELS[column],
        key="rows",
    )
    show_table(figures([column for column in options if column in rows], ids, first, last), descriptions)
    st.caption(
        "For internal use: figures of small groups of readers are not hidden here. View time is how long a flyer was on"
        " screen. Time spent is the time since the user's previous flyer event, credited to the flyer opened next."
    )


if __name__ == "__main__":
    # Without a navigation of its own, the app would list the modules of the package `pages` as its pages.
    st.navigation([st.Page(main)], position="hidden").run()
