"""The project as its users see it: vars, commands, docs and descriptions in the database."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import MaterializationExtension
from dbt_common.utils.jinja import MACRO_PREFIX
from jinja2 import Environment, nodes
from jinja2.ext import Extension

from flyer_analytics import summary
from python_tests.conftest import PROJECT, Project


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
        ("recompute_dates", "2018-10", "a date written YYYY-MM-DD, or a first and a last one with / between them"),
        ("recompute_dates", "2018-10-01/2018-13-01", "a date written YYYY-MM-DD, or a first and a last one"),
        ("recompute_dates", "2018-10-02/2018-10-01", "a date written YYYY-MM-DD, or a first and a last one"),
        ("max_gap_secs", "2020-01-01", "a whole number of seconds from 1 to 86400"),
        ("max_gap_sec", "60", "unknown. The project has reporting_timezone"),
    ],
)
def test_a_bad_var_stops_the_run(project: Project, name: str, value: str, allowed: str) -> None:
    assert not project.try_dbt("run", "--vars", f"{{{name}: {value}}}").success
    said = "\n".join(project.messages)
    assert f"var '{name}' is " in said
    assert allowed in said
    assert not project.query("select * from information_schema.tables where table_schema = 'marts'")


@pytest.mark.usefixtures("artifacts", "built_sample")
def test_commands_after_a_build(project: Project) -> None:
    marts = "select md5(string_agg(m::varchar, '' order by m::varchar)) from marts.merchant_flyer_engagement as m"
    first = project.query(marts)
    for command in (["build", "--select", "marts"], ["test", "--select", "marts"], ["build"]):
        project.dbt(*command, "--exclude-resource-type", "unit_test")
        assert project.query(marts) == first
    project.dbt("retry")
    assert project.query(marts) == first


@pytest.mark.usefixtures("artifacts")
def test_retry_continues_where_a_run_failed(project: Project) -> None:
    project.query("create schema raw")
    project.query("create table raw.event_types as select 'flyer_open' as event")
    assert not project.try_dbt("run").success
    project.query(
        "alter table raw.event_types add column role varchar; alter table raw.event_types add column counts_as varchar;"
        " update raw.event_types set role = 'shows_flyer'"
    )
    project.dbt("retry")
    assert project.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100


@pytest.mark.usefixtures("built_sample")
def test_tables_and_columns_have_comments(project: Project) -> None:
    undescribed = """
        select schema_name || '.' || table_name from duckdb_tables()
        where schema_name in ('staging', 'intermediate', 'marts') and comment is null
        union all
        select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()
        where schema_name in ('staging', 'intermediate', 'marts') and comment is null
            and table_name not like 'base\\_%' escape '\\'
    """
    assert project.query(undescribed) == []


@pytest.mark.usefixtures("built_sample")
def test_a_missing_event_fails_the_build(project: Project) -> None:
    project.query("delete from staging.stg_flyer_app__events_keyed where rowid % 100 = 0")
    assert not project.try_dbt("test", "--select", "assert_every_raw_row_is_accounted_for").success


@pytest.mark.usefixtures("built_sample")
def test_analyses_agree_with_the_marts(project: Project) -> None:
    project.dbt("compile", "--select", "path:analyses")
    compiled = Path(os.environ["DBT_TARGET_PATH"]) / "compiled" / "flyer_analytics" / "analyses"
    time_spent, view_time = project.query(
        "select sum(gap_secs), sum(on_screen_secs) from intermediate.int_flyer_events_sequenced"
    )[0]
    sensitivity = {row[:2]: row[4] for row in project.query((compiled / "sensitivity_to_the_timeouts.sql").read_text())}
    assert sensitivity["time_spent", 7600] == time_spent
    assert sensitivity["view_time", 1800] == view_time

    moved = project.query((compiled / "seconds_moved_between_flyers.sql").read_text())
    assert sum(row[2] for row in moved) == sum(row[3] for row in moved) == time_spent
    assert 0 < moved[0][4] < time_spent

    top = project.query((compiled / "top_flyers_of_a_merchant.sql").read_text())
    by_merchant = project.query(
        "select sum(total_view_secs) from marts.merchant_flyer_engagement where merchant_id is not null"
        " group by merchant_id order by 1 desc nulls last"
    )
    view_secs = [row[3] or 0 for row in top]
    assert sum(view_secs) == by_merchant[0][0]
    assert view_secs == sorted(view_secs, reverse=True)


def test_a_database_with_the_name_of_a_schema(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(project.folder / "marts.duckdb"))
    parsed = dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse"])
    assert "The database 'marts' has the name of one of its schemas" in str(parsed.exception)


def test_a_database_that_is_open_elsewhere(project: Project) -> None:
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(project.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        built = project.try_dbt("build")
        holder.communicate(b"\n")
    assert f"{project.database} is in use by process {holder.pid} ({sys.executable}" in str(built.exception)
    assert "Traceback" not in "".join(project.messages)


def test_data_tests_before_the_first_build(project: Project) -> None:
    tested = project.try_dbt("test", "--select", "merchant_hourly,test_type:data")
    assert "Nothing was tested: 1 of the tables do not exist, such as merchant_hourly" in str(tested.exception)


def test_the_project_is_no_package(project: Project) -> None:
    """Another project that has installed it has its hooks, too."""
    (project.folder / "dbt_project.yml").write_text("name: other\nversion: '1.0'\nprofile: flyer_analytics\n")
    run = project.try_dbt("run", "--project-dir", str(project.folder), "--profiles-dir", str(PROJECT))
    assert "flyer_analytics is no package" in str(run.exception)


def test_freshness_is_measured(project: Project) -> None:
    events = project.folder / "events.csv"
    events.write_text("timestamp,user_id,event,flyer_id,merchant_id\n2018-10-01T13:00:00-04:00,u1,flyer_open,1,9\n")
    project.load(events)
    project.dbt("source", "freshness")
    project.query("update raw.flyer_events set _loaded_at = _loaded_at - interval 51 hour")
    assert not project.try_dbt("source", "freshness").success


def test_summary(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert summary.main() == 1
    assert "Run `make build` first" in capsys.readouterr().err
    project.dbt("run")
    project.disconnect()
    assert summary.main() == 0
    shown = capsys.readouterr().out
    rows = project.query("select count(*) from raw.sample_flyer_events")[0][0]
    assert f"Built from the sample: {rows:,} rows" in shown
    assert "marts.user_daily_avg_flyer_time: " in shown
    assert str(project.database) in shown
    project.query("drop table staging.build_state")
    assert summary.main() == 0
    assert "no complete build: the last one failed, was killed, left models out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        (
            "int_flyer_users",
            0,
            "int_flyer_users passed its tests. Its rows are in intermediate.int_flyer_users of target",
        ),
        ("int_flyer_user", 2, "there is no model 'int_flyer_user'. Did you mean int_flyer_users"),
        ("", 2, "make check needs MODEL: make check MODEL="),
    ],
)
def test_a_model_is_checked_on_the_sample(model: str, code: int, said: str) -> None:
    command = ["make", "--old-file=.venv/.build", "check", f"MODEL={model}"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == code
    assert said in run.stdout + run.stderr


MACRO_FILES = sorted((PROJECT / "macros").rglob("*.sql"))


@pytest.mark.parametrize("file", MACRO_FILES, ids=[file.stem for file in MACRO_FILES])
def test_a_macro_file_has_one_public_macro(manifest: Manifest, file: Path) -> None:
    """The macro with the file's name is described in yml. The file's other macros are used in this file only."""
    extensions: list[str | type[Extension]] = ["jinja2.ext.do", MaterializationExtension]
    parsed = Environment(autoescape=True, extensions=extensions).parse(file.read_text())
    macros = {
        macro.name.removeprefix(MACRO_PREFIX): [argument.name for argument in macro.args]
        for macro in parsed.find_all(nodes.Macro)
    }
    assert [name for name in macros if manifest.macros[f"macro.flyer_analytics.{name}"].patch_path] == [file.stem]
    public = manifest.macros[f"macro.flyer_analytics.{file.stem}"]
    assert public.description
    assert [argument.name for argument in public.arguments] == macros[file.stem]
    assert all(argument.description for argument in public.arguments)

    folders = [PROJECT / folder for folder in ("macros", "models", "tests", "analyses")]
    others = "".join(sql.read_text() for folder in folders for sql in folder.rglob("*.sql") if sql != file)
    assert not [name for name in macros if name != file.stem and re.search(rf"\b{name}\(", others)]
