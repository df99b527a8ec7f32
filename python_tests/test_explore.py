"""The explorer, as an analyst uses it. Streamlit runs it without a browser."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup, DateInput, Selectbox

from flyer_analytics import explore, publish
from python_tests.conftest import PROJECT, Project
from python_tests.test_rejections import ALL_REJECTED, WHY

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


def run(clicked: AppTest | Selectbox[Any] | DateInput | ButtonGroup[Any]) -> AppTest:
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
        "Average view time": "30.00 s",
        "Average time spent": "60.00 s",
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
    assert app.selectbox("flyer_id").options == ["F2"]
    assert metrics(app)["Average view time"] == "20.00 s"
    assert metrics(app)["Average time spent"] == "60.00 s"

    run(app.selectbox("merchant_id").set_value(("M2",)))
    assert app.selectbox("flyer_id").options == ["F3"]
    assert metrics(app)["Average view time"] == metrics(app)["Average time spent"] == "not measured"
    assert metrics(app)["Views"] == "1"

    run(app.date_input("dates").set_value((date(2018, 10, 1),)))
    assert "Select an end date" in said(app)
    run(app.date_input("dates").set_value((date(2018, 10, 1), date(2018, 10, 3))))
    assert "No rows for this selection" in said(app)


@pytest.mark.usefixtures("published")
def test_rows_per_selected_columns() -> None:
    app = opened()
    run(app.button_group("rows").set_value(["date"]))
    assert explore.csv(app.dataframe[0].value).splitlines()[1:] == [
        "2018-10-01,30.00,60.00,2,3,60.00,60.00,2,1",
        "2018-10-04,,,1,1,,,0,0",
    ]
    run(app.button_group("rows").set_value([]))
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
