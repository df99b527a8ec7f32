"""The columns of raw tables, and those that a file of events must have."""

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import yaml

from flyer_analytics.load.outcome import FileError

SOURCES = Path(__file__).parents[2] / "models" / "staging" / "flyer_app" / "_flyer_app__sources.yml"
# JSON may leave out nulls. If nobody opened a flyer in an hour, the other keys do not occur in its file.
REQUIRED_KEYS = ("timestamp", "user_id", "event")
DELIMITERS = ",;\t"
NO_HEADER = "has no header: its first line is blank or not UTF-8. To convert UTF-16: iconv -f UTF-16 -t UTF-8"
IS_ARRAY = "is a JSON array, not one JSON object per line. To convert it: jq -c '.[]'"


@cache
def raw_tables() -> dict[str, dict[str, str]]:
    """Return the types of the columns of each raw table, as dbt's source describes them."""
    source = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["sources"][0]
    return {
        table["name"]: {column["name"]: column["data_type"] for column in table["columns"]}
        for table in source["tables"]
    }


def event_columns() -> list[str]:
    """Return the names of the columns that an event consists of."""
    return [name for name in raw_tables()["flyer_events"] if not name.startswith("_")]


def quoted_event_columns() -> list[str]:
    """Return the names as SQL."""
    return [f'"{name}"' for name in event_columns()]


def header(line: str) -> tuple[str, list[str]]:
    """Return the delimiter and the column names of a CSV header, in lower case.

    The delimiter is the one that finds most columns of an event. Raises FileError if it does not find all of them.
    """
    if "\0" in line or not line.strip():
        raise FileError(NO_HEADER)

    def split(delimiter: str) -> list[str]:
        fields = csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            return [name.strip().lower() for name in next(fields)]
        except csv.Error:
            return []

    names, delimiter = max(
        ((split(delimiter), delimiter) for delimiter in DELIMITERS),
        key=lambda found: len({*event_columns()} & {*found[0]}),
    )
    require_columns(names or [line])
    return delimiter, names


def require_columns(names: Sequence[str], required: Iterable[str] | None = None) -> None:
    """Raise FileError if a required column (default: all of an event) is missing, or one of an event is there twice."""
    shown = ", ".join(names)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    if missing := [name for name in required or event_columns() if name not in names]:
        raise FileError(f"has no column {', '.join(missing)}; its columns are: {shown}")
    if any(names.count(name) > 1 for name in event_columns()):
        raise FileError(f"has duplicate column names; its columns are: {shown}")


def ignored(names: Iterable[str]) -> list[str]:
    """Return the names that are no column of an event."""
    return sorted({*names} - {*event_columns(), ""})
