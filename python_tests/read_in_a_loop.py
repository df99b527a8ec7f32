"""Read a published copy in a loop until standard input ends, then print the numbers of reads and of states seen.

    python read_in_a_loop.py published query

Ends with an error if a read fails or if its two marts are of different builds.
"""

import select
import sys
import time

import duckdb

MARTS = "marts.merchant_flyer_engagement", "marts.user_daily_avg_flyer_time"


def state(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Return sums that are equal in both marts of a build."""
    return str(connection.sql(f"select sum(views), sum(total_view_secs) from {relation}").fetchall())


def marts_state(connection: duckdb.DuckDBPyConnection) -> str:
    of_merchants, of_users = (state(connection, mart) for mart in MARTS)
    assert of_merchants == of_users, (of_merchants, of_users)
    return of_users


def query(folder: str) -> str:
    """Open the copy for one query."""
    with duckdb.connect(f"{folder}/flyer_marts.duckdb", read_only=True) as connection:
        return marts_state(connection)


def session(folder: str) -> str:
    """Keep the copy open for half a second of queries."""
    with duckdb.connect(f"{folder}/flyer_marts.duckdb", read_only=True) as connection:
        states = set()
        for _ in range(10):
            states.add(marts_state(connection))
            time.sleep(0.05)
    assert len(states) == 1, states
    return states.pop()


def parquet(folder: str) -> str:
    """Query again if the file was replaced during the query, for which DuckDB opens it twice (docs/bi.md)."""
    file = f"'{folder}/merchant_flyer_engagement.parquet'"
    with duckdb.connect() as connection:
        try:
            return state(connection, file)
        except duckdb.Error:
            return state(connection, file)


if __name__ == "__main__":
    read = {"query": query, "session": session, "parquet": parquet}[sys.argv[2]]
    seen = []
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        seen.append(read(sys.argv[1]))
    print(len(seen), len(set(seen)))
