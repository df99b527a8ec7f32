"""Show a summary of a build: ``python -m flyer_analytics.summary``."""

import sys
from pathlib import Path

import duckdb

from flyer_analytics.built import INCOMPLETE, is_complete
from flyer_analytics.dbt_profile import database_path
from flyer_analytics.explained import explained
from flyer_analytics.rejections import why_nothing_is_usable

ROW_COUNTS = """
    select
        case when exists (from raw.flyer_events) then 'your events' else 'the sample' end as source,
        (select count(*) from staging.base_flyer_app__events) as raw_rows,
        (select count(*) from staging.stg_flyer_app__events_keyed) as events,
        (select coalesce(sum(deliveries - 1), 0)::bigint from staging.stg_flyer_app__events_keyed) as repeats,
        (select count(*) from staging.stg_flyer_app__rejected) as rejected
"""

USER_DAYS = """
    select
        left(user_id, 8) || '..' as user_id,
        date,
        avg_time_spent_in_secs,
        avg_view_secs,
        total_view_secs,
        measured_views,
        views,
        sessions
    from marts.user_daily_avg_flyer_time
    qualify row_number() over (
        partition by user_id order by total_view_secs desc nulls last, date
    ) = 1
    order by total_view_secs desc nulls last, user_id, date
    limit 5
"""

ENGAGEMENT = """
    select
        merchant_id,
        flyer_id,
        left(user_id, 8) || '..' as user_id,
        date,
        total_time_spent_in_secs,
        total_view_secs,
        measured_views,
        views
    from marts.merchant_flyer_engagement
    qualify row_number() over (
        partition by user_id order by total_view_secs desc nulls last, merchant_id, flyer_id, date
    ) = 1
    order by total_view_secs desc nulls last, merchant_id, flyer_id, user_id, date
    limit 5
"""


def summarize(database: Path) -> None:
    """Print row counts of ``database`` and five rows of two marts, times in seconds.

    Raises duckdb.Error if the file cannot be opened or has no marts.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        source, raw_rows, events, repeats, rejected = connection.sql(ROW_COUNTS).fetchall()[0]
        print(f"\nBuilt from {source}: {raw_rows:,} rows")
        print(f"  = {events:,} events + {repeats:,} repeats + {rejected:,} rejected")
        for mart, rows in (("user_daily_avg_flyer_time", USER_DAYS), ("merchant_flyer_engagement", ENGAGEMENT)):
            count = connection.sql(f"select count(*) from marts.{mart}").fetchall()[0][0]
            print(f"\nmarts.{mart}: {count:,} rows. The longest of the five users with the most view time:")
            connection.sql(rows).show(max_width=150)
        if not is_complete(connection, "staging"):
            print(f"\nThe database {INCOMPLETE}", file=sys.stderr)
    print(f"The database: {database.resolve()}")


def main() -> int:
    database = database_path()
    try:
        summarize(database)
    except duckdb.Error as error:
        why = why_nothing_is_usable(database) if isinstance(error, duckdb.CatalogException) else ""
        print(f"No marts to show in {database}: {why or explained(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
