"""Why nothing of what was loaded can be used: what commands say that then find nothing to show."""

from pathlib import Path

import duckdb

LONGEST_EXAMPLE = 100  # characters
# Rows only if every loaded row was rejected.
REASONS = """
    select
        rejection_reason,
        count(*) as rejected_rows,
        min(rejected_value) as example,
        coalesce(arg_min(_source_file, rejected_value), min(_source_file)) as example_file
    from staging.stg_flyer_app__rejected
    where (select count(*) from staging.stg_flyer_app__rejected) = (select count(*) from raw.flyer_events)
    group by rejection_reason
    order by rejected_rows desc, rejection_reason
"""


def why_nothing_is_usable(database: Path) -> str:
    """Return why no loaded row can be used, and what to do.

    Returns an empty text if some rows can be used, nothing is loaded, or ``database`` cannot be read.
    """
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            reasons = connection.sql(REASONS).fetchall()
    except duckdb.Error:
        return ""
    if not reasons:
        return ""
    named = "; ".join(
        f"{rows:,} {reason}"
        + (f", such as {example[:LONGEST_EXAMPLE]!r}" if example else "")
        + (f" in {file}" if file else "")
        for reason, rows, example, file in reasons
    )
    return (
        f"None of the {sum(rows for _, rows, *_ in reasons):,} loaded rows can be used: {named}.\n"
        "docs/definitions.md says which values are valid. Load corrected files with `make load`, then run `make build`."
    )
