"""The explorer, as an analyst uses it: mostly in Streamlit's test harness, once in a browser."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from playwright.sync_api import Browser
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup, DateInput, Radio, Selectbox, TextInput

from flyer_analytics import explore, publish
from python_tests.accessibility import barriers
from python_tests.conftest import PROJECT, Project
from python_tests.test_rejections import ALL_REJECTED, WHY
from tools.explorer_picture import explorer

# u1 views F1 for 40 seconds and F2, of an unknown merchant, for 20. The views of u2 and u3 cannot be measured.
EVENTS = """timestamp,user_id,event,flyer_id,merchant_id
2018-10-01T10:00:00-04:00,u1,flyer_open,F1,M1
2018-10-01T10:00:40-04:00,u1,list_flyers,,
2018-10-01T10:01:00-04:00,u1,flyer_open,F2,
2018-10-01T10:01:20-04:00,u1,list_flyers,,
2018-10-01T11:00:00-04:00,u2,flyer_open,F1,M1
2018-10-04T09:00:00-04:00,u3,flyer_open,F3,M2
"""


@pytest.fixture(scope="module")
def published(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    project = Project(manifest, tmp_path_factory.mktemp("built"))
    (project.folder / "events.csv").write_text(EVENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        project.load(project.folder / "events.csv")
        project.dbt("run")
        project.disconnect()
        assert publish.main() == 0
        yield publish.published_path()


def opened() -> AppTest:
    return run(AppTest.from_file(PROJECT / "flyer_analytics" / "explore.py", default_timeout=60))


def run(clicked: AppTest | ButtonGroup[Any] | DateInput | Radio[Any] | Selectbox[Any] | TextInput) -> AppTest:
    app = clicked.run()
    assert not app.exception
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.caption, *app.info])


def test_nothing_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_PUBLISHED_PATH", str(tmp_path))
    app = opened()
    assert "Nothing has been published yet" in said(app)
    assert str(tmp_path / publish.COPY) in said(app)
    assert "make build" in said(app)
    assert not app.metric

    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / "flyer.duckdb"))
    with duckdb.connect(str(tmp_path / "flyer.duckdb")) as connection:
        connection.execute(ALL_REJECTED)
    assert WHY in said(run(app))


@pytest.mark.usefixtures("published")
def test_both_measures_and_unmeasured_views() -> None:
    app = opened()
    assert metrics(app) == {
        "Average view time": "30 s",
        "Average time spent": "1 min 00 s",
        "Views": "4",
        "Readers": "3",
    }
    assert "2 of 4 views could not be measured" in said(app)
    assert "No rows on 2 of 4 dates: 2018-10-02, 2018-10-03." in said(app)
    assert "A dash means" in said(app)
    table = app.dataframe[0].value
    assert explore.csv(table).splitlines() == [
        "merchant_id,flyer_id,avg_view_secs,avg_time_spent_in_secs,readers,views,"
        "total_view_secs,total_time_spent_in_secs,measured_views,measured_gaps",
        "M1,F1,40.00,,2,2,40.00,,1,0",
        ",F2,20.00,60.00,1,1,20.00,60.00,1,1",
        "M2,F3,,,1,1,,,0,0",
    ]


@pytest.mark.usefixtures("published")
def test_a_merchant_its_flyers_and_dates() -> None:
    app = opened()
    assert app.selectbox("merchant_id").options == ["M1", "M2", "Unknown merchant"]
    assert app.selectbox("flyer_id").options == ["F1", "F2", "F3"]

    run(app.selectbox("flyer_id").set_value(("F1",)))
    assert metrics(app)["Views"] == "2"
    run(app.selectbox("merchant_id").set_value((None,)))
    assert not app.get("link_button")
    assert app.selectbox("flyer_id").options == ["F2"]
    assert metrics(app)["Average view time"] == "20 s"
    assert metrics(app)["Average time spent"] == "1 min 00 s"

    run(app.selectbox("merchant_id").set_value(("M2",)))
    assert app.selectbox("flyer_id").options == ["F3"]
    assert metrics(app)["Average view time"] == metrics(app)["Average time spent"] == "not measured"
    assert metrics(app)["Views"] == "1"

    run(app.date_input("dates").set_value((date(2018, 10, 1),)))
    assert "Select an end date" in said(app)
    run(app.date_input("dates").set_value((date(2018, 10, 1), date(2018, 10, 3))))
    assert "No rows for this selection" in said(app)


@pytest.mark.usefixtures("published")
def test_users_and_days_over_all_merchants() -> None:
    app = opened()
    run(app.radio("subject").set_value("Users and days"))
    assert metrics(app) == {
        "View time per user and day": "1 min 00 s",  # of u1 alone: nothing of the others was measured
        "Sessions per user and day": "1.00",
        "Average view time": "30 s",
        "Average time spent": "1 min 00 s",
        "Sessions": "3",
        "Views": "4",
        "Readers": "3",
    }
    assert "Over all merchants" in said(app)
    assert explore.csv(app.dataframe[0].value).splitlines() == [
        "date,user_id,avg_view_secs,avg_time_spent_in_secs,sessions,readers,views,"
        "total_view_secs,total_time_spent_in_secs,measured_views,measured_gaps",
        "2018-10-01,u1,30.00,60.00,1,1,2,60.00,60.00,2,1",
        "2018-10-01,u2,,,1,1,1,,,0,0",
        "2018-10-04,u3,,,1,1,1,,,0,0",
    ]
    run(app.button_group("rows of user_daily_avg_flyer_time").set_value(["date"]))
    by_date = app.dataframe[0].value
    assert by_date[["user_days", "sessions_per_user_day"]].to_numpy().tolist() == [[2, 1], [1, 1]]
    run(app.text_input("user_id").set_value(" u3 "))
    assert metrics(app)["View time per user and day"] == "not measured"
    assert metrics(app)["Views"] == "1"


@pytest.mark.usefixtures("published")
def test_the_age_of_the_data() -> None:
    [shown] = [element.value for element in opened().caption if "published" in element.value]
    assert re.fullmatch(
        r"Data from 2018-10-01 to 2018-10-04 \(\d+ years ago\), published \d{4}-\d\d-\d\d \d\d:\d\d \S+ \(.+\)", shown
    )
    assert [explore.age(timedelta(seconds=secs)) for secs in (59, 60, 7199, 86_400, 364 * 86_400, 800 * 86_400)] == [
        "just now",
        "1 minute ago",
        "1 hour ago",
        "1 day ago",
        "364 days ago",
        "2 years ago",
    ]


@pytest.mark.usefixtures("published")
def test_in_chromium(browser: Browser) -> None:
    """No barrier that axe finds, no error, no outside request, and a link to a merchant's page, at both widths."""
    with explorer() as address:
        page = browser.new_page()
        problems: list[str] = []
        page.on("request", lambda request: None if is_inside(request.url, address) else problems.append(request.url))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        merchant = page.get_by_role("combobox", name="Merchant")
        merchant.fill("M1")
        merchant.press("Enter")
        with page.expect_popup() as popup:
            page.get_by_role("link", name="Open the page for merchant M1").press("Enter")
        popup.value.wait_for_load_state()
        assert popup.value.title() == "Merchant M1, 1 to 4 October 2018: flyer report"
        for link in popup.value.eval_on_selector_all("a", "all => all.map(a => a.href)"):
            assert page.request.get(link).ok, link
        for subject, key in (("Merchants and flyers", "Tab"), ("Users and days", "ArrowRight")):
            page.get_by_role("radio", name="Merchants and flyers").press(key)
            page.get_by_text(explore.SUBJECTS[subject].note).wait_for()
            if subject == "Merchants and flyers":
                page.locator("summary").press("Enter")
            page.get_by_role("cell", name="Mon 1 Oct 2018").wait_for()
            for width in (375, 1400):
                page.set_viewport_size({"width": width, "height": 900})
                problems += barriers(page)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    problems.append(f"{subject} is too wide for {width} px")
        assert problems == []
        for query in ("merchant=M3&from=2018-10-01&to=2018-10-04", "merchant=M1&from=2019-01-01&to=2019-01-01"):
            missing = page.request.get(f"{address}/merchant-page?{query}")
            assert missing.status == 404
            assert "2018-10-04" in missing.text()
        assert page.request.get(f"{address}/merchant-page?merchant=M1&from=today").status == 400


def is_inside(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", address.replace("http:", "ws:"), "data:", "blob:"))


@pytest.mark.usefixtures("published")
def test_rows_per_selected_columns() -> None:
    app = opened()
    run(app.button_group("rows of merchant_flyer_engagement").set_value(["date"]))
    assert explore.csv(app.dataframe[0].value).splitlines()[1:] == [
        "2018-10-01,30.00,60.00,2,3,60.00,60.00,2,1",
        "2018-10-04,,,1,1,,,0,0",
    ]
    run(app.button_group("rows of merchant_flyer_engagement").set_value([]))
    assert len(app.dataframe[0].value) == 1


def test_a_new_copy_shows_at_the_next_click(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_PUBLISHED_PATH", str(tmp_path))

    def write(views: int) -> None:
        with duckdb.connect(str(tmp_path / "next")) as copy:
            copy.execute(f"attach '{published / publish.COPY}' as published (read_only)")
            copy.execute("create schema marts")
            copy.execute(
                f"create table marts.merchant_flyer_engagement as select * replace ({views}::bigint as views)"
                " from published.marts.merchant_flyer_engagement where flyer_id = 'F3'"
            )
        (tmp_path / "next").replace(tmp_path / publish.COPY)

    write(7)
    app = opened()
    assert metrics(app)["Views"] == "7"
    write(8)
    assert metrics(run(app))["Views"] == "8"
