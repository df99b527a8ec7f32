"""The dashboards in a real Superset: their figures equal SQL on the marts, and a browser draws every chart."""

import json
import math
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import yaml
from dbt.contracts.graph.manifest import Manifest
from playwright.sync_api import Browser, Page

from bi.superset import bundle, datasets, pictures
from flyer_analytics import publish
from python_tests.conftest import Project

USERS, FLYERS = "marts.user_daily_avg_flyer_time", "marts.merchant_flyer_engagement"
SHOWN = "marts.merchant_flyer_daily where not is_suppressed"
VIEW, SPENT = "sum(total_view_secs) / sum(measured_views)", "sum(total_time_spent_in_secs) / sum(measured_gaps)"
OF_A_GROUP = f"count(distinct user_id) filter (views > 0), sum(views), {VIEW}, {SPENT}"
TIMED = "sum(total_view_secs) / sum(measured_views) filter (total_view_secs is not null)"
# The figures of each chart by SQL, by dashboard and name.
EXPECTED = {
    "flyer-engagement": {
        "Readers": f"select count(distinct user_id) from {USERS} where views > 0",
        "Views": f"select sum(views) from {FLYERS}",
        "Sessions": f"select sum(sessions) from {USERS}",
        "Average view time": f"select {VIEW} from {USERS}",
        "Average time spent": f"select {SPENT} from {USERS}",
        "Both measures by date": f"select date, {VIEW}, {SPENT} from {USERS} group by all",
        "Time per user and day": f"""
            select date, avg(total_view_secs) filter (measured_views > 0) / 60,
                avg(total_time_spent_in_secs) filter (measured_gaps > 0) / 60
            from {USERS} group by date
        """,
        "Readers, sessions and views by date": f"""
            select date, count(distinct user_id) filter (views > 0), sum(sessions), sum(views) from {USERS} group by all
        """,
        "User days by average view time": f"""
            select least(floor(avg_view_secs / 60), 10), count(*) from {USERS} where measured_views > 0 group by all
        """,
        "Merchants": f"select merchant_id, {OF_A_GROUP} from {FLYERS} group by all",
        "Flyers": f"select merchant_id, flyer_id, {OF_A_GROUP} from {FLYERS} group by all",
    },
    "merchant-overview": {
        "Views": f"select sum(views) from {SHOWN}",
        "View time": f"select sum(total_view_secs) / 3600 from {SHOWN}",
        "Hidden": "select count(*) from marts.merchant_flyer_daily where is_suppressed",
        "Average view time": f"select {TIMED} from {SHOWN}",
        "Readers per flyer day": f"select avg(readers) from {SHOWN}",
        "Views by date": f"select date, sum(views) from {SHOWN} group by all",
        "Average view time by date": f"select date, {TIMED} from {SHOWN} group by all",
        "Views by hour, where enough readers": """
            select printf('%02d', hour), sum(views) from marts.merchant_hourly where hour is not null group by all
        """,
        "Flyer days shown and hidden": """
            select date, nullif(count(*) filter (is_suppressed), 0), nullif(count(*) filter (not is_suppressed), 0)
            from marts.merchant_flyer_daily group by date
        """,
        "Merchants": f"""
            select merchant_id, count(readers), count(*) filter (is_suppressed), sum(views), {TIMED}
            from marts.merchant_flyer_daily group by all
        """,
        "Flyers": f"""
            select merchant_id, flyer_id, count(readers), count(*) filter (is_suppressed), avg(readers), sum(views),
                {TIMED}, sum(views_to_other_merchants) / sum(views)
            from marts.merchant_flyer_daily group by all
        """,
    },
}


def plain(value: Any) -> Any:
    """Return a value as Superset's JSON has it: dates in milliseconds, numbers as floats."""
    if isinstance(value, date):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() * 1000
    if value is None or isinstance(value, str):
        return value
    return None if math.isnan(value) else float(f"{float(value):.9g}")


def rows(values: list[Any]) -> list[str]:
    """Return rows in one order, whatever the order of rows and columns is."""
    return sorted(str(sorted(map(plain, row), key=str)) for row in values)


def charts(page: Page, address: str, dashboard: str) -> dict[str, list[Any]]:
    """Open a dashboard, and return the rows that its charts have asked for, by name."""
    answers = []
    page.on("response", lambda it: answers.append(it) if "/api/v1/chart/data?" in it.url else None)
    pictures.show(page, address, dashboard)
    listed = page.request.get(f"{address}/api/v1/chart/?q=(page_size:100)").json()["result"]
    names = {chart["id"]: chart["slice_name"] for chart in listed}
    found = {}
    for answer in answers:
        asked = json.loads(parse_qs(urlsplit(answer.url).query)["form_data"][0])
        if asked.get("slice_id") in names:  # others are filters
            [result] = answer.json()["result"]
            found[names[asked["slice_id"]]] = [list(row.values()) for row in result["data"]]
    return found


@pytest.mark.usefixtures("built_sample")
def test_charts_equal_the_marts(
    project: Project, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert publish.main() == 0
    monkeypatch.setenv("FLYER_PUBLISHED_PATH", str(project.folder / "published"))
    with pictures.superset(tmp_path / "home") as (address, password):
        page = browser.new_page(viewport={"width": pictures.LAPTOP, "height": 1000})
        outside: list[str] = []
        page.on("requestfinished", lambda it: outside.append(it.url) if not it.url.startswith(address) else None)
        pictures.log_in(page, address, password)
        for dashboard, expected in EXPECTED.items():
            found = charts(page, address, dashboard)
            assert found.keys() == expected.keys()
            with duckdb.connect(str(project.folder / "published" / publish.COPY), read_only=True) as marts:
                for name, sql in expected.items():
                    assert rows(found[name]) == rows(marts.sql(sql).fetchall()), f"{dashboard}: {name}"
            picture = tmp_path / f"{dashboard}.png"
            pictures.take(page, picture)
            assert picture.stat().st_size > 50_000
        assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []
        page.close()


def test_datasets_are_those_of_the_project(manifest: Manifest) -> None:
    folder = bundle.EXPORT / "datasets" / "flyer_marts"
    expected = datasets.datasets(json.loads(json.dumps(manifest.to_dict(omit_none=False), default=str)))
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()} == expected, (
        "make superset-datasets"
    )


def test_the_same_dashboards_on_redshift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, out = "redshift+psycopg2://reader@host:5439/flyers", tmp_path / "dashboards.zip"
    monkeypatch.setattr("sys.argv", ["bundle", f"--out={out}", "--", url])
    bundle.main()
    with zipfile.ZipFile(out) as exported:
        names = {name.partition("/")[2]: name for name in exported.namelist()}
        database = yaml.safe_load(exported.read(names[bundle.DATABASE]))
    assert database["sqlalchemy_uri"] == url
    assert names.keys() == {str(file.relative_to(bundle.EXPORT)) for file in bundle.EXPORT.rglob("*.yaml")}
