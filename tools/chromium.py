"""Find the browser in which pages are tested and pictures taken."""

import shutil


def chromium() -> str:
    """Return the path of Chromium or Chrome. Raises FileNotFoundError if neither is installed."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise FileNotFoundError("Chromium is not installed: run `make browser`, or install Chromium or Chrome")
    return found
