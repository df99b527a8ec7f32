"""The CSV files beside the page of a merchant."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flyer_analytics.pages.marts import CELL_COLUMNS, Marts


def write_csv_files(folder: Path, stem: str, marts: Marts, merchant: str) -> None:
    """Write ``stem``.csv, a row per flyer and date, and ``stem``_hours.csv, a row per date and hour.

    A figure that is not shown is empty, with the reason in the column remark. Times are in seconds.
    """
    own_id = safe_in_spreadsheets(merchant)
    write_csv(
        folder / f"{stem}.csv",
        ["merchant_id", *CELL_COLUMNS, "remark"],
        (
            [own_id, safe_in_spreadsheets(cell["flyer_id"])]
            + [cell[name] for name in CELL_COLUMNS[1:]]
            + [remark(cell)]
            for cell in marts.cells(merchant)
        ),
    )
    write_csv(
        folder / f"{stem}_hours.csv",
        ["merchant_id", "date", "hour", "readers", "views", "remark"],
        (
            [own_id, day, hour, readers, views, "hours with too few readers, combined" if hour is None else ""]
            for day, hour, readers, views in marts.hours(merchant)
        ),
    )


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    # Excel recognizes UTF-8 by the byte order mark.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def safe_in_spreadsheets(text: str) -> str:
    """Return an id, after a ' if a spreadsheet would read it as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def remark(cell: dict[str, Any]) -> str:
    if cell["is_suppressed"]:
        return "too few readers"
    return "too few readers with measured views to show a time" if cell["total_view_secs"] is None else ""
