"""The project on Redshift's stand-in: the same events make the same rows there as on DuckDB, in every relation."""

import json
import os
import random
from pathlib import Path

import pytest

from flyer_analytics import generate
from tests.python.conftest import PROJECT, Project, RedshiftProject
from tests.python.test_increments import (
    CASES,
    LOADS,
    RELATIONS,
    Loads,
    assert_same,
    at,
    draw_user,
    first_loads,
    run_and_die,
    timeline,
)

ALL_RELATIONS = ("raw.event_types", "staging.base_flyer_app__events", *RELATIONS)
SCHEMAS = ("staging", "intermediate", "marts")


def assert_engines_agree(project: Project, redshift: RedshiftProject) -> None:
    """Every row, null and type of every relation."""
    assert_same(redshift.tables(*ALL_RELATIONS), project.tables(*ALL_RELATIONS))
    for schema in SCHEMAS:
        assert redshift.types(schema) == project.types(schema)


def copy_raw(project: Project, redshift: RedshiftProject) -> None:
    """The events that were loaded into DuckDB, as they stand there."""
    file = redshift.folder / "raw.csv"
    project.query(f"copy raw.flyer_events to '{file}' (format csv, header false)")
    redshift.dbt("run", "--select", "base_flyer_app__events")
    redshift.insert_raw(file)


def test_build_of_the_sample(project: Project, redshift: RedshiftProject) -> None:
    """All models, unit tests, data tests and contracts, on an empty database."""
    built = redshift.dbt("build", "--exclude-resource-type", "seed")
    unit_tests = [result for result in built.result if result.node.resource_type == "unit_test"]
    assert len(unit_tests) == len(redshift.manifest.unit_tests) > 50
    project.dbt("run")
    assert redshift.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100
    assert_engines_agree(project, redshift)


def test_reference_day(project: Project, redshift: RedshiftProject, reference_day: Path) -> None:
    project.load(reference_day)
    copy_raw(project, redshift)
    project.dbt("run")
    redshift.dbt("run")
    assert_engines_agree(project, redshift)


@pytest.mark.parametrize(
    ("start", "given"),
    [
        ("2018-03-10", {}),
        ("2024-11-02", {"reporting_timezone": "Asia/Kolkata", "max_gap_secs": 60, "inactivity_timeout_secs": 90}),
    ],
)
def test_generated_days(project: Project, redshift: RedshiftProject, start: str, given: dict[str, object]) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "4000", "--days", "3", "--start", start, "--seed", "5"])
    project.load(events)
    copy_raw(project, redshift)
    for engine in (project, redshift):
        engine.dbt("run", "--vars", json.dumps(given))
    assert_engines_agree(project, redshift)


def test_any_loads_equal_a_full_refresh(project: Project, redshift: RedshiftProject) -> None:
    """Increments on Redshift are exact, and its full refresh is DuckDB's."""
    draw = random.Random(1)
    deliveries = [row for name, rows in CASES.items() for row in timeline(name, *rows)]
    deliveries += [row for number in range(300) for row in draw_user(f"user {number}", draw)]
    assert Loads(redshift).differences(deliveries) == {}
    loads = Loads(project)
    loads.start()
    for load in range(LOADS):
        loads.add(load, (row for row in deliveries if row.load == load))
    loads.run()
    assert_engines_agree(project, redshift)


def test_runs_that_die_are_repaired_and_dates_recomputed(redshift: RedshiftProject) -> None:
    loads = Loads(redshift)
    left = first_loads(loads)
    for number, (event, model) in enumerate([("NodeStart", "int_flyer_views"), ("NodeFinished", "int_flyer_sessions")]):
        loads.add(number + 1, left[number::2])
        run_and_die(redshift, at(event, model))
    loads.run()
    repaired = loads.tables()
    redshift.query("delete from marts.user_daily_avg_flyer_time where date = '2018-12-01'")
    redshift.query("update staging.stg_flyer_app__events set deliveries = 9 where date = '2018-12-01'")
    loads.run()
    assert loads.tables() != repaired
    redshift.dbt("run", "--vars", "{recompute_dates: 2018-12-01}")
    assert_same(loads.tables(), repaired)
    redshift.dbt("run", "--full-refresh")
    assert_same(loads.tables(), repaired)


def test_docs_and_freshness(redshift: RedshiftProject) -> None:
    redshift.dbt("run")
    redshift.dbt("docs", "generate")
    catalog = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "catalog.json").read_text())
    mart = catalog["nodes"]["model.flyer_analytics.user_daily_avg_flyer_time"]
    assert mart["columns"]["avg_view_secs"]["type"] == "numeric(18,2)"
    assert mart["metadata"]["comment"] and all(column["comment"] for column in mart["columns"].values())

    events = redshift.folder / "raw.csv"
    events.write_text("2018-10-01T13:00:00Z,u,flyer_open,1,9,a file,2,2018-10-02 00:00:00\n")
    redshift.insert_raw(events)
    assert not redshift.try_dbt("source", "freshness").success
    redshift.query("update raw.flyer_events set _loaded_at = now() at time zone 'UTC'")
    redshift.dbt("source", "freshness")


def test_seeds_come_first(redshift: RedshiftProject) -> None:
    redshift.query("drop table raw.event_types")
    assert not redshift.try_dbt("run").success
    assert "run `dbt seed --target redshift` once" in "\n".join(redshift.messages)


def test_what_redshift_is_sent(redshift: RedshiftProject) -> None:
    """Nothing of DuckDB's reaches Redshift."""
    redshift.dbt("run")
    sent = "\n".join(redshift.standin.statements_of("flyer"))
    assert "last_value(view_started_at ignore nulls)" in sent
    assert "epoch_us" not in sent
    assert str(PROJECT) not in sent
