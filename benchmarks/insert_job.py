"""Insert a file of events into DuckDB, without checks and records: what loading is measured against.

    python -m benchmarks.insert_job events.parquet RESULT.duckdb

Reads Parquet or CSV with DuckDB's own reader, and writes a table with the columns of the loaded events to the database,
which must not exist. The columns that loading adds to the file's stay null.
"""

import sys
from pathlib import Path

from flyer_analytics.load.columns import raw_tables
from flyer_analytics.load.disk import connect

READERS = {".parquet": "read_parquet('{}')", ".csv": "read_csv('{}', all_varchar = true)"}


def main(file: str, database: str) -> None:
    """Insert the file. Raises duckdb.Error if it fails."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in raw_tables()["flyer_events"].items())
    with connect(Path(database)) as connection:
        connection.execute(f"create table flyer_events ({columns})")
        connection.execute(f"insert into flyer_events by name from {READERS[Path(file).suffix].format(file)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
