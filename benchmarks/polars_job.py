"""Both marts with polars.

    python benchmarks/polars_job.py events.parquet OUT

Writes OUT/user_daily_avg_flyer_time.parquet and OUT/merchant_flyer_engagement.parquet with all columns and both
measures, as defined in docs/definitions.md, except that events whose timestamp has no offset are left out, and that
polars reads some timestamps which the definitions reject, such as a second 60. Durations are integers in microseconds.
"""

import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import polars.selectors as cs

REPORTING_TIMEZONE = "America/Toronto"
FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
MAX_CLOCK_SKEW = timedelta(seconds=300)
MAX_GAP = 7600 * 1_000_000
INACTIVITY_TIMEOUT = 1800 * 1_000_000
MAX_ID_LENGTH = 256
BLANKS = " \t\n\r"
NULL_TOKENS = {"", "null", "<null>", "(null)", "%3cnull%3e", "%3cnull%3g", r"\n", "none", "nan", "n/a", "undefined"}
FLOAT = re.compile(
    r"-?((0|[1-9][0-9]*)[.][0-9]*|(?=.*[.+])(0([.]0*)?|[1-9]([.][0-9]*)?)e[+]?0?[0-9]{1,2})", re.IGNORECASE
)
ROLES = {
    "flyer_open": "shows_flyer",
    "item_open": "shows_flyer",
    "list_flyers": "leaves_flyer",
    "shopping_list_open": "leaves_flyer",
    "flyer_close": "leaves_flyer",
    "app_background": "leaves_flyer",
    "favorite": "neutral",
}


def cleaned_id(text: str) -> str | None:
    """Return the id: None if the text stands for null, and a whole number without fraction and exponent."""
    text = text.strip(BLANKS)
    if text.lower() in NULL_TOKENS:
        return None
    if FLOAT.fullmatch(text):
        number = Decimal(text)
        return str(int(number)) if number == number.to_integral_value() else text
    return text


def cleaned_ids(texts: pl.Series) -> pl.Series:
    """Return the ids, each distinct text cleaned once."""
    distinct = texts.drop_nulls().unique()
    return texts.replace_strict(distinct, pl.Series(map(cleaned_id, distinct), dtype=pl.String), default=None)


def known_id(name: str) -> pl.Expr:
    """Return the id column, null if its text stands for null."""
    return pl.col(name).map_batches(cleaned_ids, return_dtype=pl.String)


def as_instants(texts: pl.Series) -> pl.Series:
    """Return the instants that polars reads, null for other texts."""
    return texts.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def instants(texts: pl.Series) -> pl.Series:
    """Return the instants. Texts that polars does not read are written out first."""
    found = as_instants(texts)
    others = (found.is_null() & texts.is_not_null()).arg_true()
    written_out = (
        texts.gather(others)
        .str.strip_chars(BLANKS)
        .str.to_uppercase()
        .str.replace(" ?GMT$", "Z")
        .str.replace("^(.{16})([^:.])", "${1}:00$2")
        .str.replace("([+-][0-9]{2})$", "${1}:00")
    )
    return found.scatter(others, as_instants(written_out))


def short_enough(name: str) -> pl.Expr:
    """Return whether the id is missing or of an accepted length."""
    return pl.col(name).str.len_chars().fill_null(0) <= MAX_ID_LENGTH


def read_events(path: Path) -> pl.LazyFrame:
    """Return the usable events without repeats, by user and time.

    Ids are categoricals. `shown` is the flyer that the event shows, null if it shows none.
    """
    usable = (
        pl.scan_parquet(path, row_index_name="position")
        .select(
            "position",
            pl.col("timestamp").map_batches(instants, return_dtype=pl.Datetime("us", "UTC")).alias("at"),
            known_id("user_id"),
            pl.col("event").str.strip_chars(BLANKS).replace_strict(ROLES, default=None).alias("role"),
            pl.col("event").str.strip_chars(BLANKS),
            known_id("flyer_id"),
            known_id("merchant_id"),
        )
        .filter(
            pl.col("at").is_between(FIRST_INSTANT, datetime.now(UTC) + MAX_CLOCK_SKEW),
            pl.col("user_id").is_not_null(),
            pl.col("role").is_not_null(),
            short_enough("user_id"),
            short_enough("flyer_id"),
            short_enough("merchant_id"),
        )
        .with_columns(pl.col("user_id", "event", "flyer_id", "merchant_id").cast(pl.Categorical))
    )
    return (
        usable.sort("user_id", "at", "position")
        .unique(["user_id", "at", "event", "flyer_id", "merchant_id"], keep="first", maintain_order=True)
        .with_columns(
            pl.when(pl.col("role") == "shows_flyer").then("flyer_id").alias("shown"),
            pl.col("at").dt.convert_time_zone(REPORTING_TIMEZONE).dt.date().alias("date"),
            pl.col("at").to_physical().alias("micros"),
        )
    )


def micros_since_previous() -> pl.Expr:
    """Return the time since the previous row, null if that is of another user."""
    same_user = pl.col("user_id") == pl.col("user_id").shift()
    return pl.when(same_user).then(pl.col("micros") - pl.col("micros").shift())


def flyer_sessions(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the number of flyer sessions per user and start date."""
    starts = micros_since_previous().fill_null(INACTIVITY_TIMEOUT) >= INACTIVITY_TIMEOUT
    return (
        events.with_columns(starts.cum_sum().alias("session"))
        .group_by("session")
        .agg(pl.col("user_id", "date").first(), pl.col("shown").is_not_null().any().alias("shows_flyer"))
        .filter("shows_flyer")
        .group_by("user_id", "date")
        .agg(pl.len().alias("sessions"))
    )


def measured_flyer_events(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the flyer events with `gap`, `on_screen` (both microseconds) and the number of their `view`."""
    same_user_next = pl.col("user_id") == pl.col("user_id").shift(-1)
    continues_view = (
        (pl.col("shown") == pl.col("shown").shift())
        & pl.col("merchant_id").eq_missing(pl.col("merchant_id").shift())
        & (micros_since_previous() < INACTIVITY_TIMEOUT)
    )
    on_screen = pl.when(same_user_next).then(pl.col("micros").shift(-1) - pl.col("micros"))
    return (
        events.filter(pl.col("role") != "neutral")
        .with_columns(
            pl.when(on_screen < INACTIVITY_TIMEOUT).then(on_screen).alias("on_screen"),
            (~continues_view.fill_null(False)).alias("starts_view"),
        )
        .filter(pl.col("shown").is_not_null())
        .with_columns(
            pl.when(micros_since_previous() < MAX_GAP).then(micros_since_previous()).alias("gap"),
            pl.col("starts_view").cum_sum().alias("view"),
        )
    )


def flyer_views(flyer_events: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per flyer view, with the date of its first event and its time on screen as `micros`."""
    return flyer_events.group_by("view").agg(
        pl.col("merchant_id", "flyer_id", "user_id", "date").first(),
        pl.col("on_screen").sum().alias("micros"),
        pl.col("on_screen").is_not_null().any().alias("is_measured"),
    )


def measures(gaps: pl.LazyFrame, views: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """Return both measures per `keys`, one row for each combination with a counted gap or a view."""
    by_gaps = gaps.group_by(keys).agg(pl.col("gap").sum().alias("gap_micros"), pl.len().alias("measured_gaps"))
    by_views = views.group_by(keys).agg(
        pl.col("micros").sum().alias("view_micros"),
        pl.col("is_measured").sum().alias("measured_views"),
        pl.len().alias("views"),
        pl.col("flyer_id").n_unique().alias("flyers"),
    )
    both = by_gaps.join(by_views, on=keys, how="full", coalesce=True, nulls_equal=True)
    return both.with_columns((~cs.by_name(keys)).fill_null(0).cast(pl.Int64))


def rounded_secs(micros: str, count: str, *, average: bool) -> pl.Expr:
    """Return micros, or micros / count, as seconds in decimal(18, 2), halves rounded up; null if count is 0."""
    number = pl.col(count) if average else pl.lit(1)
    cents = (2 * pl.col(micros) + 10_000 * number) // (20_000 * number)
    secs = cents.cast(pl.Decimal(18, 2)) * pl.lit("0.01").cast(pl.Decimal(18, 2))
    return pl.when(pl.col(count) > 0).then(secs.cast(pl.Decimal(18, 2)))


def published(mart: pl.LazyFrame, *columns: str) -> pl.LazyFrame:
    """Return `columns` of the mart, with ids as text, and its measures in seconds, as in the published marts."""
    return mart.select(
        cs.by_name(columns) - cs.categorical(),
        (cs.by_name(columns) & cs.categorical()).cast(pl.String),
        rounded_secs("gap_micros", "measured_gaps", average=True).alias("avg_time_spent_in_secs"),
        rounded_secs("gap_micros", "measured_gaps", average=False).alias("total_time_spent_in_secs"),
        "measured_gaps",
        rounded_secs("view_micros", "measured_views", average=True).alias("avg_view_secs"),
        rounded_secs("view_micros", "measured_views", average=False).alias("total_view_secs"),
        "measured_views",
        "views",
    )


def main(path: str, out: str) -> None:
    """Read the events in `path` and write both marts to the folder `out`. Raises the errors of polars."""
    events = read_events(Path(path)).collect().lazy()
    flyer_events = measured_flyer_events(events).collect().lazy()
    gaps = flyer_events.filter(pl.col("gap").is_not_null())
    views = flyer_views(flyer_events).collect().lazy()

    engagement = measures(gaps, views, ["merchant_id", "flyer_id", "user_id", "date"])
    user_days = (
        measures(gaps, views, ["user_id", "date"])
        .join(flyer_sessions(events), on=["user_id", "date"], how="left")
        .with_columns(pl.col("sessions").fill_null(0))
    )

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    published(engagement, "merchant_id", "flyer_id", "user_id", "date").sink_parquet(
        folder / "merchant_flyer_engagement.parquet"
    )
    published(user_days, "user_id", "date", "flyers", "sessions").sink_parquet(
        folder / "user_daily_avg_flyer_time.parquet"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
