"""Pictures of the dashboards on the published copy: ``python -m bi.superset.pictures docs``. Needs Chromium."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

from tools.chromium import chromium

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / "bin" / "python"
DASHBOARDS = ("flyer-engagement", "merchant-overview")
LAPTOP = 1400  # pixels
CHART = "[class*='dashboard-chart-id-']"
NOT_DRAWN = f"{CHART}:not(:has(canvas, table, .header-line))"
LOAD_SECS = 60
ANIMATION_SECS = 1.5


@contextmanager
def superset(home: Path) -> Iterator[tuple[str, str]]:
    """Run a Superset whose files are in ``home``. Yields its address and the password of user admin."""
    environment = os.environ | {"SUPERSET_HOME": str(home), "PORT": "0", "NEW_PASSWORD": "1"}
    command = [str(PYTHON), "-m", "bi.superset.local"]
    with subprocess.Popen(command, cwd=HERE.parents[1], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            said = process.stdout.readline().split()
            if not said:
                raise RuntimeError("Superset did not start, see above")
            yield said[1].rstrip(","), said[-1]
        finally:
            process.terminate()
            process.communicate()


def log_in(page: Page, address: str, password: str) -> None:
    # The page of the login reports itself. An answer that arrives after the login would end the session.
    with page.expect_response("**/superset/log/**"):
        page.goto(f"{address}/login/")
    page.fill("#username", "admin")
    page.fill("#password", password)
    with page.expect_response("**/superset/log/**"):
        page.press("#password", "Enter")


def show(page: Page, address: str, dashboard: str) -> None:
    """Open a dashboard and wait until all of its charts are drawn. Raises AssertionError if one is not."""
    page.goto(f"{address}/superset/dashboard/{dashboard}/")
    page.wait_for_selector(CHART, state="attached", timeout=LOAD_SECS * 1000)
    expect(page.locator(NOT_DRAWN)).to_have_count(0, timeout=LOAD_SECS * 1000)


def take(page: Page, file: Path) -> None:
    """Write a picture of the whole dashboard."""
    width = page.viewport_size["width"] if page.viewport_size else LAPTOP
    bottom = page.locator(".dashboard-grid").evaluate("grid => grid.getBoundingClientRect().bottom + scrollY")
    page.set_viewport_size({"width": width, "height": int(bottom) + 16})
    page.wait_for_timeout(ANIMATION_SECS * 1000)
    page.screenshot(path=file)


def main() -> None:
    folder = Path(sys.argv[1])
    with TemporaryDirectory() as home, superset(Path(home)) as (address, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page(viewport={"width": LAPTOP, "height": 1000})
        log_in(page, address, password)
        for dashboard in DASHBOARDS:
            show(page, address, dashboard)
            take(page, folder / f"superset-{dashboard}.png")
        browser.close()


if __name__ == "__main__":
    main()
