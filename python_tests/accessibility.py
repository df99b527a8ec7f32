"""What axe finds on a page: barriers for people who use a keyboard or a screen reader, and contrast that is too low."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe()


def barriers(page: Page) -> list[str]:
    """Return what violates a rule of axe, as `rule at the width of the window: elements`."""
    width = page.evaluate("innerWidth")
    return [
        f"{found['id']} at {width} px: {'; '.join(element['html'] for element in found['nodes'])}"
        for found in AXE.run(page).response["violations"]
    ]
