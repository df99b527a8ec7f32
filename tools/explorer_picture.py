"""The picture of the explorer in the docs: ``python -m tools.explorer_picture docs/explorer.png``."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from playwright.sync_api import Browser, Page, sync_playwright

from flyer_analytics.stream.broker import free_port
from tools.chromium import chromium

SERVER = Path(__file__).parents[1] / "flyer_analytics" / "explore_server.py"
WIDTH = 1400  # px
MAX_START_SECS = 60


@contextmanager
def explorer() -> Iterator[str]:
    """Run the explorer on the published copy, and yield its address."""
    port = free_port()
    options = ["--server.headless=true", f"--server.port={port}", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(SERVER), *options]
    with subprocess.Popen(command, cwd=SERVER.parents[1], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield f"http://localhost:{port}"
        finally:
            server.terminate()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server accepts connections. Raises TimeoutError if it does not, or ends."""
    last = monotonic() + MAX_START_SECS
    while monotonic() < last and server.poll() is None:
        try:
            socket.create_connection(("localhost", port)).close()
        except ConnectionRefusedError:
            sleep(0.05)
        else:
            return
    raise TimeoutError(f"The explorer did not start on port {port}: see its output above")


def opened(browser: Browser, address: str, width: int) -> Page:
    """Open the explorer and wait until all of it is there."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    settled(page)
    return page


def settled(page: Page) -> None:
    """Wait until the explorer has shown what the last click asked for."""
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached")
    page.locator("[data-stale=true]").first.wait_for(state="detached")
    page.locator("[data-testid=stVegaLiteChart] svg").wait_for()


def main(out: Path) -> None:
    """Write the picture of the first page to ``out``."""
    with (
        explorer() as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium()) as browser,
    ):
        page = opened(browser, address, WIDTH)
        page.set_viewport_size({"width": WIDTH, "height": 1300})
        page.screenshot(path=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
