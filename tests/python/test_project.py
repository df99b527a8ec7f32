"""The project as its users meet it: vars, commands, docs and what stays in the database."""

import json
import os
from pathlib import Path

import pytest

from flyer_analytics import summary
from tests.python.conftest import Project


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("reporting_timezone", '"Mars/Phobos"', "an IANA time zone"),
        ("source_timezone", '"EST5EDT; drop"', "an IANA time zone"),
        ("max_gap_secs", "0", "a whole number of seconds from 1 to 86400"),
        ("max_gap_secs", '"7600"', "a whole number of seconds from 1 to 86400"),
        ("inactivity_timeout_secs", "86401", "a whole number of seconds from 1 to 86400"),
        ("inactivity_timeout_secs", "true", "a whole number of seconds from 1 to 86400"),
        ("max_clock_skew_secs", "-1", "a whole number of seconds from 0 to 86400"),
        ("earliest_event_date", '"2000-02-30"', "a date written YYYY-MM-DD"),
    ],
)
def test_a_bad_var_stops_the_run(project: Project, name: str, value: str, allowed: str) -> None:
    assert not project.try_dbt("run", "--vars", f"{{{name}: {value}}}").success
    said = "\n".join(project.messages)
    assert f"var '{name}' is " in said
    assert allowed in said
    assert not project.query("select * from information_schema.tables where table_schema = 'marts'")


def test_commands_after_a_build(project: Project) -> None:
    project.dbt("build", "--exclude-resource-type", "unit_test")
    marts = "select md5(string_agg(m::varchar, '' order by m::varchar)) from marts.merchant_flyer_engagement as m"
    first = project.query(marts)
    for command in (["build", "--select", "marts"], ["test", "--select", "marts"], ["build"], ["retry"]):
        project.dbt(*command)
        assert project.query(marts) == first


def test_retry_goes_on_where_a_run_failed(project: Project) -> None:
    project.query("create schema raw")
    project.query("create table raw.event_types as select 'flyer_open' as event")
    assert not project.try_dbt("run").success
    project.query(
        "alter table raw.event_types add column role varchar; update raw.event_types set role = 'shows_flyer'"
    )
    project.dbt("retry")
    assert project.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100


def test_nothing_warns(project: Project) -> None:
    project.dbt("--warn-error", "build", "--exclude-resource-type", "unit_test")


def test_the_database_describes_itself(project: Project) -> None:
    project.dbt("run")
    undescribed = """
        select schema_name || '.' || table_name from duckdb_tables()
        where schema_name in ('staging', 'intermediate', 'marts') and comment is null
        union all
        select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()
        where schema_name in ('staging', 'intermediate', 'marts') and comment is null
            and table_name not like 'base\\_%' escape '\\'
    """
    assert project.query(undescribed) == []


def test_docs_describe_every_column(project: Project) -> None:
    project.dbt("run")
    project.dbt("docs", "generate", "--static")
    target = Path(os.environ["DBT_TARGET_PATH"])
    assert (target / "static_index.html").stat().st_size > 1_000_000
    catalog = json.loads((target / "catalog.json").read_text())
    described = json.loads((target / "manifest.json").read_text())
    for kind in ("nodes", "sources"):
        for unique_id, table in catalog[kind].items():
            node = described[kind][unique_id]
            assert node["description"], unique_id
            columns = {name.lower() for name in table["columns"]}
            assert columns == {name for name, column in node["columns"].items() if column["description"]}, unique_id


def test_freshness_is_measured(project: Project) -> None:
    events = project.folder / "events.csv"
    events.write_text("timestamp,user_id,event,flyer_id,merchant_id\n2018-10-01T13:00:00-04:00,u1,flyer_open,1,9\n")
    project.load(events)
    project.dbt("source", "freshness")
    project.query("update raw.flyer_events set _loaded_at = _loaded_at - interval 121 second")
    assert not project.try_dbt("source", "freshness").success


def test_summary(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert summary.main() == 1
    assert "Run `make build` first" in capsys.readouterr().err
    project.dbt("run")
    project.disconnect()
    assert summary.main() == 0
    shown = capsys.readouterr().out
    assert "Built from the sample: 3,000 rows" in shown
    assert "marts.user_daily_avg_flyer_time: " in shown
    assert str(project.database) in shown
