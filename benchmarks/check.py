"""Compare a rival's marts with those of this project, row by row.

    python benchmarks/check.py flyer_analytics.duckdb RESULT

RESULT is a DuckDB file with both marts, or a folder with one Parquet file or folder of them for each. A rival that
computes measure 1 alone lacks columns: then the others are compared, in the rows that have a counted gap. Ends with
status 1 and the figures of both where they differ.
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
    """Return the rival's mart as something to select from; raises FileNotFoundError where there is none."""
    if result.suffix == ".duckdb":
        return f"rival.{mart}"
    if (result / mart).is_dir():
        return f"read_parquet('{result / mart}/*.parquet')"
    file = result / f"{mart}.parquet"
    if not file.is_file():
        raise FileNotFoundError(f"{result} holds no {mart}")
    return f"read_parquet('{file}')"


def figures(connection: duckdb.DuckDBPyConnection, source: str, columns: dict[str, str], condition: str) -> Figures:
    """Return row count, sum of each measure and a fingerprint of all rows, whatever their order.

    `columns` maps names to types. The fingerprint adds up 64-bit hashes of whole rows, so that marts of any size
    compare without being sorted or kept.
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
    """Return the types of a relation's columns by their names."""
    rows = connection.execute(f"select column_name, column_type from (describe from {source})").fetchall()
    return dict(rows)


def differences(database: Path, result: Path) -> list[str]:
    """Return what differs, one line each; raises FileNotFoundError or duckdb.Error where a mart cannot be read."""
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
    """Run the comparison; return 0 where nothing differs, else 1."""
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
