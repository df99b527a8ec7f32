"""Split a file of events into those that arrived before the last day and those that arrived on it.

    python benchmarks/split_last_day.py events.parquet 2019-02-09 history.parquet last_day.parquet

Both parts are Parquet files in the order of the input, which is the order of arrival. The split is before the first
event of the last day, so the second part also contains late events of earlier days, like a real daily delivery. Prints
the number of rows of both parts as JSON.
"""

import json
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

TIMEZONE = ZoneInfo("America/Toronto")  # the generator's


def first_row_of(day: date, numbered: str, connection: duckdb.DuckDBPyConnection) -> int:
    """Return the 0-based number of the first row of `day`. Raises ValueError if there is none, or if it is row 0."""
    begin, end = (datetime.combine(midnight, time(), TIMEZONE) for midnight in (day, day + timedelta(days=1)))
    row = connection.execute(
        f"""
        select min(file_row_number) from {numbered}
        where try_cast("timestamp" as timestamptz) >= $begin and try_cast("timestamp" as timestamptz) < $end
        """,
        {"begin": begin, "end": end},
    ).fetchall()[0][0]
    if not row:
        raise ValueError(f"no event on {day}, or none before it")
    return int(row)


def split(events: Path, day: date, history: Path, last_day: Path) -> dict[str, int]:
    """Write both parts and return their numbers of rows.

    Raises ValueError if a part would be empty, and duckdb.Error if the file cannot be read.
    """
    numbered = f"read_parquet('{events}', file_row_number = true)"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        first = first_row_of(day, numbered, connection)
        rows = {}
        for part, condition in ((history, f"< {first}"), (last_day, f">= {first}")):
            rows[part.stem] = connection.execute(
                f"""
                copy (select * exclude (file_row_number) from {numbered} where file_row_number {condition})
                to '{part}' (format parquet, compression zstd)
                """
            ).fetchall()[0][0]
        return rows


if __name__ == "__main__":
    print(json.dumps(split(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))))
