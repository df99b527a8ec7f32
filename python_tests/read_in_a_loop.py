"""Read a published copy or an export in a loop until standard input ends.

    python read_in_a_loop.py published query

Prints a line after the first read, and at the end the numbers of reads and of states seen. Ends with an error if a read
fails, if two marts are of different builds, or if a date of an export is missing, doubled or of two states.
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


def export(folder: str) -> str:
    """Read the events of all dates, whose numbers stay the same; again if a file was replaced during the query."""
    days = f"""
        select date, count(*), min(deliveries), max(deliveries)
        from read_parquet('{folder}/stg_flyer_app__events/*/*.parquet', hive_partitioning = true)
        group by date order by date
    """
    with duckdb.connect() as connection:
        try:
            found = connection.sql(days).fetchall()
        except duckdb.Error:
            found = connection.sql(days).fetchall()
    assert all(least == most for *_, least, most in found), found
    counts = [row[:2] for row in found]
    first_counts.append(counts)
    assert counts == first_counts[0], found
    return str(found)


first_counts: list[object] = []

if __name__ == "__main__":
    read = {"query": query, "session": session, "parquet": parquet, "export": export}[sys.argv[2]]
    seen = [read(sys.argv[1])]
    print("reading", flush=True)
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        seen.append(read(sys.argv[1]))
    print(len(seen), len(set(seen)))
