"""Both marts with duckdb_script.sql.

    python benchmarks/duckdb_job.py flyer_analytics.duckdb RESULT.duckdb

Reads the loaded events from the first database and writes both marts to the second, which must not exist.
"""

import sys
from pathlib import Path

import duckdb

SCRIPT = Path(__file__).with_name("duckdb_script.sql")


def main(database: str, result: str) -> None:
    """Run the script. Raises duckdb.Error if it fails."""
    with duckdb.connect(result) as connection:
        connection.execute(f"attach '{database}' as source (read_only)")
        connection.execute(SCRIPT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
