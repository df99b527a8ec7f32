"""The command ``python -m flyer_analytics.pages --out report``."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from flyer_analytics import publish
from flyer_analytics.dbt_profile import database_path
from flyer_analytics.explained import explained
from flyer_analytics.pages.folder import write_folder
from flyer_analytics.pages.marts import DEFAULT_DAYS, NoDataError, PagesError
from flyer_analytics.rejections import why_nothing_is_usable
from flyer_analytics.text import counted


def published_copy() -> Path:
    return publish.published_path() / publish.COPY


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2018-11-02") from None


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.pages",
        description="Write pages for merchants.",
        epilog=f"Without --from, the pages cover the {DEFAULT_DAYS} days up to --to, if there are data for them.",
    )
    parser.add_argument("--merchant", metavar="ID", help="write only this page, without an index (default: all)")
    parser.add_argument("--from", dest="first", type=day, metavar="YYYY-MM-DD", help="first date")
    parser.add_argument(
        "--to",
        dest="last",
        type=day,
        metavar="YYYY-MM-DD",
        help="last date (default: the last one with data)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report"), metavar="FOLDER", help="folder to write (default: report)"
    )
    parser.add_argument(
        "--database",
        type=Path,
        default=published_copy(),
        metavar="FILE",
        help="DuckDB file with the marts (default: the published copy)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages. Return 0, or 1 if that is not possible."""
    options = parse(arguments)
    built = database_path() if options.database == published_copy() else options.database
    try:
        pages = write_folder(options.database, options.out, options.merchant, options.first, options.last)
    except NoDataError as error:
        print(why_nothing_is_usable(built) or error, file=sys.stderr)
        return 1
    except PagesError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, duckdb.Error) as error:
        print(f"No pages were written to {options.out}: {explained(error)}", file=sys.stderr)
        return 1
    start = pages[0] if options.merchant is not None else pages[0].with_name("index.html")
    print(f"{counted(len(pages), 'page')}: open {start}")
    if why := why_nothing_is_usable(built):
        print(f"These pages show an earlier build. {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
