"""Compare a rival's marts with those of this project, row by row.

    python benchmarks/check.py flyer_analytics.duckdb RESULT

RESULT is a DuckDB file with both marts, or a folder that has a Parquet file or a folder of Parquet files per mart. If a
rival has only the columns of measure 1, only those are compared, in rows with a counted gap. If the marts differ, the
figures of both are printed and the exit status is 1.
"""

import sys
from pathlib import Path

import duckdb

MARTS = ("user_daily_avg_flyer_time", "merchant_flyer_engagement")
MEASURES = {
    "total_time_spent_in_secs",
    "avg_time_spent_in_secs",
    "measured_gaps",
    "total_view_secs",
    "avg_view_secs",
    "measured_views",
    "views",
    "flyers",
    "sessions",
}

Figures = dict[str, object]


def relation(result: Path, mart: str) -> str:
    """Return the rival's mart as a relation to select from. Raises FileNotFoundError if it is missing."""
    if result.suffix == ".duckdb":
        return f"rival.{mart}"
    if (result / mart).is_dir():
        return f"read_parquet('{result / mart}/*.parquet')"
    file = result / f"{mart}.parquet"
    if not file.is_file():
        raise FileNotFoundError(f"{result} has no {mart}")
    return f"read_parquet('{file}')"


def figures(connection: duckdb.DuckDBPyConnection, source: str, columns: dict[str, str], condition: str) -> Figures:
    """Return the number of rows, the sum of each measure and a fingerprint of all rows that ignores their order.

    `columns` maps names to types. The fingerprint is the sum of 64-bit hashes of the rows, so marts of any size are
    compared without sorting them or holding them in memory.
    """
    typed = {name: f"cast({name} as {kind})" for name, kind in columns.items()}
    sums = [f"sum({name}) as {name}" for name in columns if name in MEASURES]
    query = f"""
        select count(*) as "rows", {", ".join(sums)}, sum(hash({", ".join(columns)})) as fingerprint
        from (select {", ".join(f"{sql} as {name}" for name, sql in typed.items())} from {source} where {condition})
    """
    answer = connection.execute(query)
    names = [column[0] for column in answer.description or ()]
    return dict(zip(names, answer.fetchall()[0], strict=True))


def types(connection: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    """Return the column types of a relation by column name."""
    rows = connection.execute(f"select column_name, column_type from (describe from {source})").fetchall()
    return dict(rows)


def differences(database: Path, result: Path) -> list[str]:
    """Return the differences, one line each. Raises FileNotFoundError or duckdb.Error if a mart cannot be read."""
    found = []
    with duckdb.connect() as connection:
        connection.execute(f"attach '{database}' as ours (read_only)")
        if result.suffix == ".duckdb":
            connection.execute(f"attach '{result}' as rival (read_only)")
        for mart in MARTS:
            source = relation(result, mart)
            theirs = types(connection, source)
            columns = {name: kind for name, kind in types(connection, f"ours.marts.{mart}").items() if name in theirs}
            ours = figures(
                connection, f"ours.marts.{mart}", columns, "true" if "views" in columns else "measured_gaps > 0"
            )
            rival = figures(connection, source, columns, "true")
            found += [f"{mart}: {name} {ours[name]}, rival {rival[name]}" for name in ours if ours[name] != rival[name]]
            print(f"{mart}: {ours['rows']:,} rows, {len(columns)} columns compared")
    return found


def main(arguments: list[str]) -> int:
    """Run the comparison. Return 0 if the marts are equal, else 1."""
    database, result = map(Path, arguments)
    try:
        found = differences(database, result)
    except (FileNotFoundError, duckdb.Error) as error:
        found = [str(error)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
