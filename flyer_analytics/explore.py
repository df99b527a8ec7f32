"""A Streamlit app for ad hoc questions about merchants, flyers, users and dates: ``make explore``.

It reads only the published copy, so it can stay open during builds. After a new copy has been published, the next
click shows its data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import altair as alt
import duckdb
import pandas as pd
import streamlit as st

from flyer_analytics.dbt_profile import database_path
from flyer_analytics.explained import explained
from flyer_analytics.pages.charts import SECONDS, axis_values
from flyer_analytics.pages.dates import day_name
from flyer_analytics.pages.formats import axis_duration, duration
from flyer_analytics.publish import COPY, published_path
from flyer_analytics.rejections import why_nothing_is_usable
from flyer_analytics.text import counted

MAX_ROWS = 1000  # of the table; the download has all rows
MAX_NAMED_DATES = 7  # in the list of dates without rows
MAX_DAILY_TICKS = 10  # dates for which the axis of the chart has a tick each
MEASURES = {"avg_view_secs": "Average view time", "avg_time_spent_in_secs": "Average time spent"}
COLOURS = ["#2b6ca3", "#c2410c"]
LABELS = {
    "date": "Date",
    "merchant_id": "Merchant",
    "flyer_id": "Flyer",
    "user_id": "User",
    **MEASURES,
    "view_secs_per_user_day": "View time per user and day",
    "sessions_per_user_day": "Sessions per user and day",
    "sessions": "Sessions",
    "user_days": "User-days",
    "readers": "Readers",
    "views": "Views",
    "total_view_secs": "Total view time",
    "total_time_spent_in_secs": "Total time spent",
    "measured_views": "Measured views",
    "measured_gaps": "Measured gaps",
}
Ids = dict[str, str | None]  # the selected id per column; None is an unknown merchant


@dataclass(frozen=True)
class Subject:
    """What the page is about: a mart, by which columns its rows can be grouped, and which figures it shows."""

    mart: str
    groups: list[str]  # columns of which a row can have one value each
    default_groups: list[str]
    headlines: list[str]
    note: str
    more_figures: str = ""  # SQL


SUBJECTS = {
    "Merchants and flyers": Subject(
        mart="merchant_flyer_engagement",
        groups=["date", "merchant_id", "flyer_id"],
        default_groups=["merchant_id", "flyer_id"],
        headlines=[*MEASURES, "views", "readers"],
        note="Select a merchant to open the page that it may see.",
    ),
    "Users and days": Subject(
        mart="user_daily_avg_flyer_time",
        groups=["date", "user_id"],
        default_groups=["date", "user_id"],
        headlines=["view_secs_per_user_day", "sessions_per_user_day", *MEASURES, "sessions", "views", "readers"],
        note="Over all merchants: a session can include flyers of several merchants, so it belongs to none of them.",
        more_figures="""
            avg(total_view_secs)::decimal(18, 6)::decimal(18, 2) as view_secs_per_user_day,
            (sum(sessions) / count(*))::decimal(18, 6)::decimal(18, 2) as sessions_per_user_day,
            coalesce(sum(sessions), 0)::bigint as sessions,
            count(*) as user_days,
        """,
    ),
}
# Of figures that are no columns of the marts.
DESCRIPTIONS = {
    "readers": "Number of different users who started a view.",
    "view_secs_per_user_day": "Total view time of a user on a day, on average over the days with measured views.",
    "sessions_per_user_day": "Sessions divided by user-days.",
    "user_days": "Combinations of a user and a date with a view or a counted gap.",
}

COLUMN_DESCRIPTIONS = """
    select column_name, comment from duckdb_columns() where schema_name = 'marts' and table_name = $mart
"""
DATES = "select min(date) as first, max(date) as last from marts.{mart}"
IDS = """
    select {column} from marts.{mart}
    where {where}
    group by {column} order by sum(views) desc, {column}
"""
# An average stays null if nothing was measured. The inner decimal rounds exact halves up.
FIGURES = """
    select
        {groups}
        (sum(total_view_secs) / sum(measured_views))::decimal(18, 6)::decimal(18, 2) as avg_view_secs,
        (sum(total_time_spent_in_secs) / sum(measured_gaps))::decimal(18, 6)::decimal(18, 2) as avg_time_spent_in_secs,
        {more_figures}
        count(distinct user_id) filter (views > 0) as readers,
        coalesce(sum(views), 0)::bigint as views,
        sum(total_view_secs)::decimal(18, 2) as total_view_secs,
        sum(total_time_spent_in_secs)::decimal(18, 2) as total_time_spent_in_secs,
        coalesce(sum(measured_views), 0)::bigint as measured_views,
        coalesce(sum(measured_gaps), 0)::bigint as measured_gaps
    from marts.{mart}
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


def figures(subject: Subject, groups: list[str], ids: Ids, first: date, last: date) -> pd.DataFrame:
    """Return all figures, one row per combination of the columns ``groups``, or one row in total if there are none."""
    listed = ", ".join(groups)
    sql = FIGURES.format(
        mart=subject.mart,
        groups=f"{listed}," if groups else "",
        more_figures=subject.more_figures,
        group_by=f"group by {listed}" if groups else "",
        order_by=", ".join(["date"] * ("date" in groups) + ["total_view_secs desc nulls last", *groups]),
        where=where(ids),
    )
    return ask(sql, **ids, first=first, last=last)


def shown(column: str, value: float) -> str:
    """Return a figure as text: a time in its two largest units, an average with two decimals, a count without."""
    if pd.isna(value):
        return "not measured"
    if "_secs" in column:
        return duration(value)
    return f"{value:,.2f}" if column == "sessions_per_user_day" else f"{value:,.0f}"


def age(elapsed: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    for unit, name in ((365 * 86_400, "year"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        if elapsed.total_seconds() >= unit:
            return f"{counted(int(elapsed.total_seconds() // unit), name)} ago"
    return "just now"


@st.fragment(run_every="1m")
def show_age(first: date, last: date, written: datetime) -> None:
    """Show which dates there are and how old they are. It updates itself, since a page may be open for hours."""
    now = datetime.now().astimezone()
    newest = timedelta(days=(now.date() - last).days)
    st.caption(
        f"Data from {first:%Y-%m-%d} to {last:%Y-%m-%d} ({age(newest) if newest else 'today'}),"
        f" published {written:%Y-%m-%d %H:%M %Z} ({age(now - written)})"
    )


def pick_id(subject: Subject, column: str, known: Ids) -> Ids:
    """Show a select box with the ids of ``column`` that occur with the ``known`` ids, sorted by views."""
    label = LABELS[column]
    found = ask(IDS.format(column=column, mart=subject.mart, where=where(known)), **known)[column]
    picked = st.selectbox(
        label,
        [(None if pd.isna(it) else str(it),) for it in found],
        index=None,
        format_func=lambda option: option[0] or f"Unknown {label.lower()}",
        placeholder=f"All {len(found):,}",
        key=column,
    )
    return {} if picked is None else {column: picked[0]}


def type_user() -> Ids:
    """Show a field for a user's id: there can be too many users to list them all."""
    typed = st.text_input("User", placeholder="All; or an id from the table", key="user_id").strip()
    return {"user_id": typed} if typed else {}


def pick_dates(first: date, last: date) -> tuple[date, date]:
    picked = st.date_input("Dates", (first, last), min_value=first, max_value=last, key="dates")
    if len(picked) != 2:
        st.info("Select an end date as well.")
        st.stop()
    return picked


def pick(subject: Subject, first: date, last: date) -> tuple[Ids, date, date]:
    """Show the fields for ids and dates. Return what is selected."""
    ids: Ids = {}
    named = [column for column in subject.groups if column != "date"]
    *for_ids, for_dates = st.columns(len(named) + 1)
    for place, column in zip(for_ids, named, strict=True):
        with place:
            ids |= type_user() if column == "user_id" else pick_id(subject, column, ids)
    with for_dates:
        return ids, *pick_dates(first, last)


def link_page(merchant: str, first: date, last: date) -> None:
    """Show a link to the page that the merchant may see, which the server of the explorer writes when it is opened."""
    address = urlencode({"merchant": merchant, "from": first, "to": last})
    st.link_button(f"Open the page for merchant {merchant}", f"merchant-page?{address}")


def show_headlines(subject: Subject, total: dict[str, Any], descriptions: dict[str, str]) -> None:
    """Show the most important figures, and how many views could not be measured."""
    with st.container(horizontal=True):
        for name in subject.headlines:
            st.metric(LABELS[name], shown(name, total[name]), help=descriptions.get(name), border=True)
    if unmeasured := total["views"] - total["measured_views"]:
        st.caption(
            f"{unmeasured:,} of {total['views']:,} views could not be measured, because no other event followed within"
            " the timeout. They are counted as views, but are not part of the averages."
        )


def line_chart(averages: pd.DataFrame) -> alt.Chart:
    """Return a chart of ``averages``, a column per measure in seconds and a row per date."""
    rows = averages.reset_index().melt("date", var_name="measure", value_name="seconds")
    rows["time"] = rows["seconds"].map(duration, na_action="ignore")
    ticks = axis_values(rows["seconds"].max() if rows["seconds"].notna().any() else 1, SECONDS)
    names = {f"{tick:g}": axis_duration(tick) for tick in ticks}
    dates = alt.Axis(format="%Y-%m-%d", tickCount="day" if len(averages) <= MAX_DAILY_TICKS else alt.Undefined)
    times = alt.Axis(values=ticks, labelExpr=f"({names})[datum.value]")
    return (
        alt.Chart(rows)
        .mark_line(point=True)
        .encode(
            alt.X("date:T", title=None, axis=dates),
            alt.Y("seconds:Q", title=None, axis=times, scale=alt.Scale(domain=[0, ticks[-1]])),
            alt.Color(
                "measure:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=list(averages.columns), range=COLOURS),
            ),
            tooltip=[alt.Tooltip("date:T", format="%Y-%m-%d"), "measure:N", "time:N"],
        )
        .properties(height=260)
    )


def show_dates(by_date: pd.DataFrame, first: date, last: date) -> None:
    """Show both averages as a chart by date and as a table, and list the dates without rows."""
    st.header("By date", anchor=False)
    days = pd.date_range(first, last, name="date")
    averages = by_date.set_index("date")[list(MEASURES)].rename(columns=MEASURES).reindex(days)
    st.altair_chart(line_chart(averages), alt=f"{' and '.join(MEASURES.values())} by date")
    if missing := [f"{day:%Y-%m-%d}" for day in days.difference(by_date["date"])]:
        more = f" and {len(missing) - MAX_NAMED_DATES:,} more" if len(missing) > MAX_NAMED_DATES else ""
        st.caption(f"No rows on {len(missing):,} of {len(days):,} dates: {', '.join(missing[:MAX_NAMED_DATES])}{more}.")
    with st.expander("Figures by date"):
        texts = {label: [shown(name, value) for value in by_date[name]] for name, label in MEASURES.items()}
        st.table(
            pd.DataFrame({"Date": [f"{day_name(day)} {day.year}" for day in by_date["date"]]} | texts), hide_index=True
        )


def csv(table: pd.DataFrame) -> str:
    """Return all rows under the column names of the marts; times are in seconds, nulls are empty."""
    return str(table.to_csv(index=False, float_format="%.2f"))


def show_table(table: pd.DataFrame, descriptions: dict[str, str]) -> None:
    """Show the first rows of ``table``, each figure as text but sorted as a number, and a download of all rows."""
    st.download_button(
        f"Download as CSV ({len(table):,} rows)",
        lambda: csv(table),
        file_name="flyers.csv",
        mime="text/csv",
        on_click="ignore",
    )
    columns = {
        column: st.column_config.Column(
            LABELS[column], help=descriptions.get(column), width="medium" if column == "user_id" else None
        )
        for column in table.columns
    }
    formats: dict[str, Callable[..., str]] = {
        column: partial(shown, column) for column in table.select_dtypes("number")
    }
    if "date" in table:
        formats["date"] = "{:%Y-%m-%d}".format
    st.dataframe(table.head(MAX_ROWS).style.format(formats, na_rep="-"), hide_index=True, column_config=columns)
    st.caption("Times in the download, in copied cells and as a screen reader reads this table are in seconds.")
    if table.isna().any(axis=None):
        st.caption(
            "A dash means that the time could not be measured or that the merchant is unknown. It does not mean 0."
        )
    if len(table) > MAX_ROWS:
        st.caption(f"Showing the first {MAX_ROWS:,} of {len(table):,} rows. The download has all of them.")


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
    under_title = st.container()
    about = SUBJECTS[st.radio("Figures of", list(SUBJECTS), horizontal=True, key="subject")]
    known_dates = ask(DATES.format(mart=about.mart)).iloc[0]
    if pd.isna(known_dates["first"]):
        st.info("The published marts are empty: none of the loaded events shows a flyer.")
        st.stop()
    oldest, newest = known_dates["first"].date(), known_dates["last"].date()
    with under_title:
        show_age(oldest, newest, datetime.fromtimestamp(copy.stat().st_mtime).astimezone())
    st.caption(about.note)
    descriptions = dict(ask(COLUMN_DESCRIPTIONS, mart=about.mart).to_numpy().tolist()) | DESCRIPTIONS

    ids, first, last = pick(about, oldest, newest)
    by_date = figures(about, ["date"], ids, first, last)
    if by_date.empty:
        st.info("No rows for this selection: nobody opened these flyers on these dates. Select other dates.")
        st.stop()
    if merchant := ids.get("merchant_id"):
        link_page(merchant, first, last)
    show_headlines(about, figures(about, [], ids, first, last).to_dict("records")[0], descriptions)
    show_dates(by_date, first, last)
    st.header("Figures", anchor=False)
    groups = st.pills(
        "One row per",
        about.groups,
        selection_mode="multi",
        default=about.default_groups,
        format_func=lambda column: LABELS[column],
        key=f"rows of {about.mart}",
    )
    table = figures(about, [column for column in about.groups if column in groups], ids, first, last)
    if {"date", "user_id"} <= set(groups):  # each row is one user-day
        table = table.drop(columns=[column for column in table if "user_day" in column])
    show_table(table, descriptions)
    st.caption(
        "For internal use: figures of small groups of readers are not hidden here. View time is how long a flyer was on"
        " screen. Time spent is the time since the user's previous flyer event, credited to the flyer opened next."
    )


if __name__ == "__main__":
    # Without a navigation of its own, the app would list the modules of the package `pages` as its pages.
    st.navigation([st.Page(main)], position="hidden").run()
