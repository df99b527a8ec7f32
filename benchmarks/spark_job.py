"""Measure 1, as a typical PySpark job computes it.

    spark-submit --driver-memory 8g benchmarks/spark_job.py events.parquet OUT

Writes OUT/user_daily_avg_flyer_time and OUT/merchant_flyer_engagement as Parquet, with the columns of measure 1
(docs/definitions.md). Timestamps must have an offset, and Spark reads some that the definitions reject, such as a date
alone.
"""

import os
import sys

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

REPORTING_TIMEZONE = "America/Toronto"
FIRST_INSTANT = "2000-01-01 00:00:00+00:00"
MAX_CLOCK_SKEW_SECS = 300
MAX_GAP_MICROS = 7600 * 1_000_000
MAX_ID_LENGTH = 256
BLANKS = " \t\n\r"
NULL_TOKENS = ["", "null", "<null>", "(null)", "%3cnull%3e", "%3cnull%3g", r"\n", "none", "nan", "n/a", "undefined"]
ZERO = "^-?0([.]0*)?(e[+]?0?[0-9]{1,2})?$"
FLOAT = "^-?[1-9]([0-9]*[.]0*|([.][0-9]*)?e[+]?0?[0-9]{1,2})$"
FLYER_EVENTS = ["flyer_open", "item_open"]
IDENTITY = ["event_at", "user_id", "event", "flyer_id", "merchant_id"]


def trimmed(name: str) -> Column:
    """Return the column without leading and trailing blanks."""
    return f.btrim(name, f.lit(BLANKS))


def whole_number(number: Column) -> Column:
    """Return the digits of a whole number that has a fraction or an exponent, in lower case; null for other texts."""
    mantissa = f.split_part(number, f.lit("e"), f.lit(1))
    places = f.coalesce(f.split_part(number, f.lit("e"), f.lit(2)).try_cast("int"), f.lit(0))
    decimals = f.rtrim(f.split_part(mantissa, f.lit("."), f.lit(2)), f.lit("0"))
    shifted = f.concat(f.split_part(mantissa, f.lit("."), f.lit(1)), f.rpad(decimals, places, f.lit("0")))
    return f.when(number.rlike(ZERO), "0").when(number.rlike(FLOAT) & (f.length(decimals) <= places), shifted)


def known_id(name: str) -> Column:
    """Return the id column, null if its text stands for null, and whole numbers without fraction and exponent."""
    text = trimmed(name)
    return (
        f.when(f.lower(text).isin(NULL_TOKENS), None)
        .when(text.contains(".") | text.contains("+"), f.coalesce(whole_number(f.lower(text)), text))
        .otherwise(text)
    )


def instant(name: str) -> Column:
    """Return the timestamp. Seconds are written out where Spark reads none without them."""
    text = trimmed(name)
    written_out = f.regexp_replace(f.upper(text), "^(.{16})([^:.])", "$1:00$2")
    return f.coalesce(text.try_cast("timestamp"), written_out.try_cast("timestamp"))


def short_enough(name: str) -> Column:
    """Return whether the id is missing or of an accepted length."""
    return f.coalesce(f.length(name) <= MAX_ID_LENGTH, f.lit(True))


def read_flyer_events(spark: SparkSession, path: str) -> DataFrame:
    """Return the usable flyer events of known flyers without repeats. `position` is the line in the file."""
    events = spark.read.parquet(path).select(
        instant("timestamp").alias("event_at"),
        known_id("user_id").alias("user_id"),
        trimmed("event").alias("event"),
        known_id("flyer_id").alias("flyer_id"),
        known_id("merchant_id").alias("merchant_id"),
        f.col("_metadata.row_index").alias("position"),
    )
    latest = f.current_timestamp() + f.make_dt_interval(secs=f.lit(MAX_CLOCK_SKEW_SECS))
    usable = events.where(
        f.col("event").isin(FLYER_EVENTS)
        & f.col("user_id").isNotNull()
        & f.col("flyer_id").isNotNull()
        & f.col("event_at").between(f.lit(FIRST_INSTANT).cast("timestamp"), latest)
        & short_enough("user_id")
        & short_enough("flyer_id")
        & short_enough("merchant_id")
    )
    return usable.groupBy(IDENTITY).agg(f.min("position").alias("position"))


def counted_gaps(flyer_events: DataFrame) -> DataFrame:
    """Return the flyer events with a counted gap, with `date` and `gap` (microseconds)."""
    timeline = Window.partitionBy("user_id").orderBy("event_at", "position")
    previous = f.lag("event_at").over(timeline)
    return (
        flyer_events.withColumn("gap", f.unix_micros("event_at") - f.unix_micros(previous))
        .where(f.col("gap") < MAX_GAP_MICROS)
        .withColumn("date", f.to_date("event_at"))
    )


def rounded_secs(micros: str, count: str) -> Column:
    """Return micros / count as seconds in decimal(18, 2), halves rounded up, without floating-point arithmetic."""
    cents = f.expr(f"(2 * {micros} + 10000 * {count}) div (20000 * {count})")
    return (cents.cast("decimal(16, 0)") * f.lit("0.01").cast("decimal(2, 2)")).cast("decimal(18, 2)")


def measured_by(gaps: DataFrame, *keys: str) -> DataFrame:
    """Return average, total and count of time spent per `keys`."""
    return (
        gaps.groupBy(*keys)
        .agg(f.sum("gap").alias("micros"), f.count("gap").alias("measured_gaps"))
        .select(
            *keys,
            rounded_secs("micros", "measured_gaps").alias("avg_time_spent_in_secs"),
            rounded_secs("micros", "1").alias("total_time_spent_in_secs"),
            "measured_gaps",
        )
    )


def main(path: str, out: str) -> None:
    """Read the events in `path` and write both tables to the folder `out`. Raises the errors of Spark."""
    spark = (
        SparkSession.builder.master("local[*]")
        .appName("flyer time spent")
        .config("spark.sql.session.timeZone", REPORTING_TIMEZONE)
        .config("spark.sql.shuffle.partitions", 4 * (os.cpu_count() or 1))
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    gaps = counted_gaps(read_flyer_events(spark, path)).cache()
    by_user = measured_by(gaps, "user_id", "date")
    by_flyer = measured_by(gaps, "merchant_id", "flyer_id", "user_id", "date")
    by_user.write.parquet(f"{out}/user_daily_avg_flyer_time", mode="overwrite")
    by_flyer.write.parquet(f"{out}/merchant_flyer_engagement", mode="overwrite")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
