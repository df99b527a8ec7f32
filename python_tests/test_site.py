"""The documentation site: its contents, and that a browser shows them."""

import os
import subprocess
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from dbt.task import docs

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


@pytest.mark.parametrize(
    ("shown", "rendered"),
    [
        ("overview", '<h2 id="where-to-start">'),
        ("overview?g_v=1", "Lineage Graph"),
        ("model/model.flyer_analytics.user_daily_avg_flyer_time", "<p>How long each user spends on flyers each day"),
        ("source/source.flyer_analytics.raw.flyer_events", "<p>One row per delivered event"),
    ],
)
def test_a_browser_shows_it(page: Path, chromium: str, tmp_path: Path, shown: str, rendered: str) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    looked = subprocess.run(
        [
            chromium, *options, f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--virtual-time-budget=5000",
            "--dump-dom", f"{page.as_uri()}#!/{shown}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )  # fmt: skip
    assert rendered in looked.stdout
    assert [line for line in looked.stderr.splitlines() if "CONSOLE" in line] == []


def test_every_change_of_dbts_page_still_applies() -> None:
    template = (Path(docs.__file__).parent / "index.html").read_text(encoding="utf-8")
    assert [found for found in site.CHANGES if template.count(found) == 0] == []
