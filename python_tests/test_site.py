"""The documentation site: its contents, and that a browser shows them."""

import os
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from playwright.sync_api import Browser

from flyer_analytics import site
from python_tests.conftest import Project


@pytest.fixture(scope="module")
def page(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(manifest, tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        project.dbt("docs", "generate", "--empty-catalog")
        project.disconnect()
    assert site.main() == 0
    return Path(os.environ["DBT_TARGET_PATH"]) / "static_index.html"


def test_the_lineage_has_no_unit_or_singular_tests(manifest: Manifest, page: Path) -> None:
    text = page.read_text()
    assert "How long do people spend on a retailer" in text
    for node in (*manifest.nodes.values(), *manifest.metrics.values()):
        assert node.unique_id.startswith("test.") or f'"{node.unique_id}"' in text
    for hidden in (*manifest.unit_tests, "test.flyer_analytics.assert_every_event_counts_once"):
        assert f'"{hidden}": {{' not in text
    assert "unique_combination_of_columns" in text


def test_a_site_without_docs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    assert site.main() == 1
    assert "run `make docs`" in capsys.readouterr().err


def test_dbts_page_has_what_is_replaced(page: Path) -> None:
    template = page.with_name("index.html").read_text()
    assert [part for part in site.REPLACED if part not in template] == []


PAGES = {
    "overview": '<h2 id="where-to-start">',
    "model/model.flyer_analytics.user_daily_avg_flyer_time": "<p>How long each user spends on flyers each day",
    "model/model.flyer_analytics.int_flyer_days_to_rebuild": "<p>The days of users whose events an increment",
    "source/source.flyer_analytics.raw.flyer_events": "<p>One row per delivered event",
}
# All of the lineage is in sight, in letters of at least 11 pixels.
IS_LEGIBLE = """() => {
    const canvas = graph.container().getBoundingClientRect();
    const box = graph.elements().renderedBoundingBox();
    return box.x1 >= 0 && box.y1 >= 0 && box.x2 <= canvas.width && box.y2 <= canvas.height && 24 * graph.zoom() >= 11;
}"""


def test_a_browser_shows_pages_and_a_lineage_that_fits_the_screen(
    page: Path, browser: Browser, manifest: Manifest
) -> None:
    models = {key for key in manifest.nodes if key.startswith("model.")}
    helpers = {key for key, node in manifest.nodes.items() if "helper" in node.tags}
    marts = {parent for it in manifest.exposures.values() for parent in it.depends_on.nodes}
    assert "model.flyer_analytics.int_flyer_days_to_rebuild" in helpers
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    for shown, rendered in PAGES.items():
        tab.goto(f"{page.as_uri()}#!/{shown}")
        tab.wait_for_function("text => document.body.innerHTML.includes(text)", arg=rendered)

    def lineage(query: str, are_nodes: str) -> None:
        """Open a lineage in a page loaded anew, and expect its nodes."""
        tab.goto("about:blank")
        tab.goto(f"{page.as_uri()}#!/overview?g_v=1{query}")
        tab.wait_for_function(f"() => window.graph?.container().clientHeight > 600 && ({are_nodes})", timeout=20_000)

    lineage("", f"!{[*helpers]}.some(id => graph.$id(id).length)")
    tab.wait_for_function(IS_LEGIBLE, timeout=20_000)
    source = "source.flyer_analytics.raw.flyer_events"
    reached = tab.evaluate("id => graph.$id(id).successors('node').map(node => node.id())", source)
    assert marts | {*manifest.exposures} <= {*reached}
    lineage(
        "&g_i=package:flyer_analytics", f"{[*models, *helpers, *manifest.metrics]}.every(id => graph.$id(id).length)"
    )
    assert said == []
    tab.close()
