"""The project on the Redshift stand-in: the same events give the same rows as on DuckDB, in every relation."""

import csv
import json
import os
import random
from pathlib import Path

from dbt.artifacts.schemas.run import RunExecutionResult

from flyer_analytics import generate
from python_tests.conftest import Project, RedshiftProject
from python_tests.test_cleaning import assert_notations_do_not_matter
from python_tests.test_increments import (
    CASES,
    LOADS,
    RELATIONS,
    SETTINGS,
    Loads,
    assert_same,
    at,
    draw_user,
    run_and_die,
    timeline,
)
from python_tests.test_marts import COLUMNS, nearly_right
from python_tests.test_rejections import assert_builds_warn_or_fail

ALL_RELATIONS = ("raw.event_types", "raw.flyer_events", "staging.base_flyer_app__events", *RELATIONS)
# Without the sample as text: dbt loads its text `null` into Redshift as a null.
OF_THE_SAMPLE = ("raw.event_types", *RELATIONS)
SCHEMAS = ("staging", "intermediate", "marts")


def assert_engines_agree(
    project: Project, redshift: RedshiftProject, relations: tuple[str, ...] = ALL_RELATIONS
) -> None:
    """Every row, null and type of every relation."""
    assert_same(redshift.tables(*relations), project.tables(*relations))
    for schema in SCHEMAS:
        assert redshift.types(schema) == project.types(schema)


def load_both(project: Project, redshift: RedshiftProject, events: Path) -> None:
    """Load a file into DuckDB, and the rows that it reads there into Redshift."""
    project.load(events)
    file = redshift.folder / "raw.csv"
    project.query(f"copy raw.flyer_events to '{file}' (format csv, header false)")
    redshift.insert_raw(file)


def test_sample(project: Project, redshift: RedshiftProject) -> None:
    """All models, unit tests, data tests and contracts on a database of seeds alone, then the docs."""
    unit_tests = len(redshift.manifest.unit_tests)
    built = redshift.dbt("build", "--exclude-resource-type", "seed")
    assert isinstance(built.result, RunExecutionResult)
    assert [result.node.resource_type for result in built.result].count("unit_test") == unit_tests > 40
    project.dbt("run")
    assert redshift.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100
    assert_engines_agree(project, redshift, OF_THE_SAMPLE)

    redshift.dbt("docs", "generate")
    catalog = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "catalog.json").read_text())
    mart = catalog["nodes"]["model.flyer_analytics.user_daily_avg_flyer_time"]
    assert mart["columns"]["avg_view_secs"]["type"] == "numeric(18,2)"
    assert mart["metadata"]["comment"] and all(column["comment"] for column in mart["columns"].values())


def test_reference_day(project: Project, redshift: RedshiftProject, reference_day: Path) -> None:
    load_both(project, redshift, reference_day)
    project.dbt("run")
    redshift.dbt("run")
    assert_engines_agree(project, redshift)


def test_generated_days_under_other_settings(project: Project, redshift: RedshiftProject) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "4000", "--days", "3", "--start", "2018-03-10", "--seed", "5"])
    # without offsets, the source's time zone decides
    events.write_text(events.read_text().replace("-04:00,", ","))
    load_both(project, redshift, events)
    settings = {
        "reporting_timezone": "Asia/Kolkata",
        "source_timezone": "America/Toronto",
        "max_gap_secs": 60,
        "inactivity_timeout_secs": 90,
    }
    for engine in (project, redshift):
        engine.dbt("run", "--vars", json.dumps(settings))
    assert_engines_agree(project, redshift)

    redshift.dbt("source", "freshness")
    redshift.query("update raw.flyer_events set _loaded_at = _loaded_at - interval '51 hour'")
    assert not redshift.try_dbt("source", "freshness").success


def test_notations_do_not_matter(redshift: RedshiftProject) -> None:
    assert_notations_do_not_matter(redshift)


def test_texts_that_are_nearly_right(project: Project, redshift: RedshiftProject) -> None:
    events = project.folder / "events.csv"
    with events.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *nearly_right()])
    load_both(project, redshift, events)
    cleaned = "staging.base_flyer_app__events"
    for engine in (project, redshift):
        engine.dbt("run", "--select", "base_flyer_app__events")
    on_redshift, on_duckdb = redshift.tables(cleaned)[cleaned], project.tables(cleaned)[cleaned]
    assert not on_redshift - on_duckdb, f"such as {[*(on_redshift - on_duckdb)][:5]}"
    assert on_redshift.total() == on_duckdb.total()


def test_increments_equal_a_full_build_on_duckdb(project: Project, redshift: RedshiftProject) -> None:
    """After any loads and a killed run, after recomputing damaged dates, and with another min_readers."""
    draw = random.Random(1)
    deliveries = [row for name, rows in CASES.items() for row in timeline(name, *rows)]
    deliveries += [row for number in range(300) for row in draw_user(f"user {number}", draw, SETTINGS[0])]
    on_redshift, on_duckdb = Loads(redshift), Loads(project)
    project.start_over()
    for load in range(LOADS):
        for loads in (on_redshift, on_duckdb):
            loads.add(load, (row for row in deliveries if row.load == load))
        if load == 2:
            run_and_die(redshift, at("NodeFinished", "int_flyer_reader_days"))
        on_redshift.run()
    on_duckdb.run()
    assert_engines_agree(project, redshift)

    redshift.query("delete from marts.user_daily_avg_flyer_time where date = '2018-12-01'")
    redshift.query("update staging.stg_flyer_app__events_keyed set deliveries = 9 where date = '2018-12-01'")
    redshift.dbt("run", "--vars", "{recompute_dates: 2018-12-01}")
    assert_engines_agree(project, redshift)

    for engine in (project, redshift):
        engine.dbt("run", "--vars", "{min_readers: 2}")
    assert_engines_agree(project, redshift)


def test_builds_warn_or_fail(redshift: RedshiftProject) -> None:
    assert_builds_warn_or_fail(redshift)


def test_seeds_come_first(redshift: RedshiftProject) -> None:
    redshift.query("drop table raw.event_types")
    assert not redshift.try_dbt("run").success
    assert "run `dbt seed --target redshift` once" in "\n".join(redshift.messages)
