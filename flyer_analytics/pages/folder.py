"""Write a folder of pages: the merchants' pages and CSV files, the definitions and an index."""

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import yaml

from flyer_analytics.pages import formats
from flyer_analytics.pages.comparison import MIN_OTHERS
from flyer_analytics.pages.csv_files import write_csv_files
from flyer_analytics.pages.dates import DateRange, day_name
from flyer_analytics.pages.marts import Marts, PagesError
from flyer_analytics.pages.merchant_page import page_data
from flyer_analytics.text import counted

PROJECT = Path(__file__).parents[2]
TEMPLATES = Path(__file__).parent / "templates"
MARKER = ".merchant-pages"  # an empty file in every folder of pages: such a folder may be replaced


def write_folder(database: Path, out: Path, merchant: str | None, first: date | None, last: date | None) -> list[Path]:
    """Write the folder ``out`` and return the merchants' pages in it. An older folder of pages is replaced as a whole.

    Raises PagesError if there is nothing to write or ``out`` contains something else, and OSError if a file cannot be
    written. ``out`` is then unchanged.
    """
    out = out.resolve()
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        closing(Marts(database, first, last)) as marts,
        TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch,
    ):
        marts.require(merchant)
        if not any(marts.totals[each].shown for each in ([merchant] if merchant is not None else marts.totals)):
            print(
                f"All figures from {marts.dates.first} to {marts.dates.last} are hidden: no flyer had enough readers on"
                " any date (var min_readers).",
                file=sys.stderr,
            )
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        (new / MARKER).touch()
        pages = write_pages(marts, merchant, new)
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    return [out / page.name for page in pages]


def check_replaceable(folder: Path) -> None:
    """Raise PagesError if ``folder`` contains anything but pages."""
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / MARKER).is_file():
        raise PagesError(f"{folder} already exists and is not a folder of merchant pages. Name another with --out.")


def write_pages(marts: Marts, merchant: str | None, folder: Path) -> list[Path]:
    """Write the page of ``merchant`` into ``folder``, or the pages of all merchants and an index. Return the pages."""
    environment = templates()
    template = environment.get_template("merchant.html")
    merchants = [merchant] if merchant is not None else list(marts.totals)
    stems = {each: file_stem(each, marts.dates) for each in merchants}
    for each in with_progress(merchants):
        write_html(folder / f"{stems[each]}.html", template.render(page_data(marts, each, stems[each])))
        write_csv_files(folder, stems[each], marts, each)
    write_html(folder / "definitions.html", environment.get_template("definitions.html").render(dates=marts.dates))
    if merchant is None:
        index = environment.get_template("index.html").render(
            dates=marts.dates,
            available=marts.available,
            stems=stems,
            merchants=sorted(marts.totals.items(), key=lambda item: (-(item[1].views or 0), item[0])),
            without_merchant=marts.without_merchant(),
        )
        write_html(folder / "index.html", index)
    return [folder / f"{stem}.html" for stem in stems.values()]


def write_html(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8", newline="\n")


def file_stem(merchant: str, dates: DateRange) -> str:
    """Return a file name without extension that is valid on any file system and unique per merchant.

    Ids of lower-case letters and digits are used unchanged. All others get a hash, and a hyphen keeps them distinct.
    """
    name = merchant
    if not re.fullmatch(r"[0-9a-z]{1,40}", merchant):
        readable = re.sub(r"[^0-9a-z]+", "-", merchant.lower()).strip("-")[:24]
        name = f"{readable}-{hashlib.sha256(merchant.encode()).hexdigest()[:16]}"
    days = f"{dates.first}" if dates.days == 1 else f"{dates.first}_{dates.last}"
    return f"merchant_{name}_{days}"


def templates() -> jinja2.Environment:
    """Return the environment of the templates, with the formats as filters and the project's vars as ``settings``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for format_value in (formats.number, formats.duration, formats.percent, formats.tenths, counted, day_name):
        environment.filters[format_value.__name__] = format_value
    environment.filters["px"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".")
    environment.globals["settings"] = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    environment.globals["min_others"] = MIN_OTHERS
    return environment


def with_progress(merchants: Sequence[str]) -> Iterator[str]:
    """Yield ``merchants``, and show a progress bar if standard error is a terminal."""
    for done, merchant in enumerate(merchants, 1):
        yield merchant
        if sys.stderr.isatty():
            filled = 30 * done // len(merchants)
            end = "\n" if done == len(merchants) else ""
            print(f"\r[{'#' * filled:<30}] {done:,} of {len(merchants):,} pages", end=end, file=sys.stderr, flush=True)
