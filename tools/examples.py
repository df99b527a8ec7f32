"""Rewrite the outputs and pictures in README and docs from the sample: ``make examples``.

Four kinds of code blocks have an output: Python, with a text block after it; `mf query`, with a block after it; SQL for
DuckDB's command line, with the output in the same block; and the README's `make build`.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
from click.testing import CliRunner
from dbt_metricflow.cli.main import cli
from playwright.sync_api import sync_playwright

from flyer_analytics.dbt_profile import database_path
from tools.chromium import chromium

PROJECT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/bi.md", "docs/metrics.md")
# What a picture shows: address below the folder; width and height in pixels, None for the whole page.
PICTURES = {
    "docs/merchant-page.png": ("report/{first_merchant}", 1100, None),
    "docs/site-lineage.png": ("static_index.html#!/overview?g_v=1", 1400, 900),
    "docs/site-model.png": ("static_index.html#!/model/model.flyer_analytics.merchant_flyer_daily", 1400, 900),
}


def python_output(code: str, folder: Path) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout


def duckdb_output(code: str, folder: Path) -> str:
    database, sql = code[:-1].split(' "', 1)
    with duckdb.connect(str(folder / database), read_only=True) as connection:
        return str(connection.sql(sql))


def metrics_output(code: str, folder: Path) -> str:  # noqa: ARG001, `mf` finds the copy by the environment
    """Return the table that `mf query` prints. `mf` reads the project that ``DBT_PROJECT_DIR`` names."""
    ran = CliRunner().invoke(cli, shlex.split(code.splitlines()[-1])[1:])
    if ran.exit_code:
        raise RuntimeError(f"{code}{ran.output}")
    return re.sub(r" +$", "", ran.output, flags=re.MULTILINE)


def build_output(code: str, folder: Path) -> str:  # noqa: ARG001
    """Return what `make build` prints after its first line, up to the end of the first table."""
    said = "".join(
        subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=True).stdout
        for command in (["flyer_analytics.publish", "--whole"], ["flyer_analytics.summary"])
    )
    end = said.index("\n", said.index("└")) + 1
    return said[:end].replace(str(folder.resolve()), "/home/you/flyer-analytics") + "...\n"


# What an output follows, and the function that gives the output.
BLOCKS: dict[str, Callable[[str, Path], str]] = {
    r"(?<=```python\n)(?P<code>[^`]*)(?P<between>```\n\n```text\n)(?P<output>[^`]*)": python_output,
    r"(?<=```\n)(?P<code>[^`]*mf query [^`]*)(?P<between>```\n\n```\n)(?P<output>[^`]*)": metrics_output,
    r'(?<=\$ duckdb -readonly )(?P<code>published/[^"]*"[^"]*")(?P<between>\n)(?P<output>[^`]*)': duckdb_output,
    r"(?<=```\n)(?P<code>)(?P<between>Building every [^\n]*\n)(?P<output>[^`]*)": build_output,
}


def with_output(block: re.Match[str], output: Callable[[str, Path], str], folder: Path) -> str:
    return block["code"] + block["between"] + output(block["code"], folder)


def rewritten(page: str, folder: Path) -> str:
    """Return ``page``, Markdown, with the outputs that the sample gives now.

    ``folder`` contains the database with a complete build of the sample, named as by default, and `published`. Raises
    subprocess.CalledProcessError, RuntimeError or duckdb.Error if an example fails.
    """
    for block, output in BLOCKS.items():
        page = re.sub(block, partial(with_output, output=output, folder=folder), page)
    return page


def take_pictures(folder: Path) -> None:
    """Take the pictures of the docs. ``folder`` contains the documentation site and `report`."""
    index = (folder / "report" / "index.html").read_text(encoding="utf-8")
    first_merchant = re.findall(r"merchant_[^\"]+\.html", index)[0]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium()) as browser:
        for picture, (address, width, height) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": height or 800})
            page.goto(f"{folder.resolve().as_uri()}/{address.format(first_merchant=first_merchant)}")
            page.wait_for_timeout(3000)  # the lineage moves into place
            page.screenshot(path=PROJECT / picture, full_page=height is None)


def main() -> int:
    """Rewrite all pages and pictures. The database and the site are in the folder of ``FLYER_DUCKDB_PATH``."""
    folder = database_path().parent
    for name in PAGES:
        page = PROJECT / name
        page.write_text(rewritten(page.read_text(encoding="utf-8"), folder), encoding="utf-8")
    take_pictures(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
