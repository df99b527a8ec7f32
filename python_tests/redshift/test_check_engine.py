"""The check of a new Redshift, on the stand-in: as it should be, with wrong functions, with a wrong row."""

import re
import socket

import pytest

from flyer_analytics import check_redshift
from flyer_analytics.check_redshift import check, engine_problems, require_reachable, row_differences
from flyer_analytics.dbt_process import Dbt, DbtError
from python_tests.conftest import Project, RedshiftProject

# What Redshift has for messages of streams, and PostgreSQL lacks.
MESSAGES = """
    create function redshift.to_varbyte(value text, format text) returns bytea language sql as
        $$ select convert_to(value, format) $$;
    create function redshift.from_varbyte(message bytea, format text) returns text language sql as
        $$ select convert_from(message, format) $$;
    create function redshift.is_utf8(message bytea) returns boolean language sql as $$ select true $$;
    create function redshift.can_json_parse(message bytea) returns boolean language plpgsql as
        $$ begin return convert_from(message, 'utf-8')::json is not null;
        exception when others then return false; end $$;
    create function redshift.json_extract_path_text(line text, key text, null_if_invalid boolean) returns text
        language sql as $$ select coalesce(line::json ->> key, '') $$;
"""
WRONG_FUNCTIONS = """
    create or replace function redshift.getdate() returns timestamp language sql stable as
        $$ select statement_timestamp() at time zone 'America/Toronto' $$;
    create or replace function redshift.from_varbyte(message bytea, format text) returns text language plpgsql as
        $$ begin raise exception 'not on this version'; end $$;
"""
FEW_USERS = "delete from raw.sample_flyer_events where user_id > '1'"


@pytest.fixture
def target(redshift: RedshiftProject) -> Dbt:
    redshift.query(MESSAGES)
    return Dbt("redshift", redshift.manifest)


def test_check(target: Dbt, redshift: RedshiftProject, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All expressions, and every model of a part of the sample, built whole and as an increment; then a wrong value."""
    succeed = check_redshift.succeed
    monkeypatch.setattr(check_redshift, "succeed", lambda dbt, *command: command == ("seed",) or succeed(dbt, *command))
    project.dbt("run", "--select", "base_flyer_app__events")
    for engine in (redshift, project):
        engine.query(FEW_USERS)
    project.disconnect()
    local, said = Dbt("duckdb", project.manifest), list[str]()
    assert check(target, local, said.append) == []
    assert engine_problems(local, said.append) == []
    results = [line.split()[1:] for line in said if "expected values" in line]
    assert results == [f"expressions have the expected values on {name}".split() for name in ("redshift", "duckdb")]
    assert redshift.query("select count(*) from marts.user_daily_avg_flyer_time where avg_view_secs > 0")[0][0] > 50

    redshift.query(
        "update marts.merchant_flyer_engagement set avg_view_secs = avg_view_secs + 0.01 where (user_id, date) in"
        " (select user_id, date from marts.merchant_flyer_engagement where avg_view_secs > 0 limit 1)"
    )
    redshift.query("drop view staging.stg_flyer_app__events")
    unreadable, different = row_differences(target, local)
    assert unreadable.startswith("stg_flyer_app__events cannot be read: ")
    first, cause, column, there, here = different.splitlines()
    assert first.startswith("merchant_flyer_engagement: ")
    assert first.endswith(" on DuckDB; other values in avg_view_secs")
    assert "an expression of models/marts/merchant_flyer_engagement.sql differs" in cause
    assert column.startswith("    avg_view_secs: Measure 2")
    assert there.startswith("    only on redshift: merchant_id = ")
    value = float(there.rpartition(" = ")[2])
    assert here == there.replace("redshift", "DuckDB").replace(f"{value:.2f}", f"{value - 0.01:.2f}")


def test_loaded_events_are_not_replaced(target: Dbt, redshift: RedshiftProject) -> None:
    for statement, found in {
        "set role dbt; create schema staging;"
        'create table staging.stg_flyer_app__events_keyed as select * from "raw".loaded_files;'
        "insert into staging.stg_flyer_app__events_keyed (_loaded_at) values ('2026-01-01')": "has events of loads",
        "insert into \"raw\".flyer_events (event) values ('flyer_open')": "raw.flyer_events has rows",
    }.items():
        redshift.query(statement)
        redshift.standin.statements.clear()
        with pytest.raises(DbtError, match=found):
            check(target, target, print)
        assert not [sql for sql in redshift.standin.statements_of("flyer") if "insert" in sql or "create table" in sql]


def test_wrong_functions_are_found(target: Dbt, redshift: RedshiftProject) -> None:
    """One gives other values, the other one an error, after which the rest is evaluated all the same."""
    redshift.query(WRONG_FUNCTIONS)
    failed, wrong = engine_problems(target, print)
    assert failed == "messages of a stream: fails on redshift: not on this version"
    first, second, third = wrong.splitlines()
    assert re.fullmatch("1 of [0-9]+ expressions have other values on redshift than this project expects:", first)
    assert second.startswith("getdate() is in UTC: Loads get wrong times, so new events are rejected")
    assert third.endswith(" expected now, got another time")


def test_what_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("FLYER_REDSHIFT_HOST", "localhost")
        monkeypatch.setenv("FLYER_REDSHIFT_PORT", str(port))
        require_reachable()
        monkeypatch.setenv("FLYER_REDSHIFT_METHOD", "iam_role")
        with pytest.raises(DbtError, match="needs the name of the workgroup"):
            require_reachable()
    monkeypatch.delenv("FLYER_REDSHIFT_METHOD")
    with pytest.raises(DbtError, match=f"localhost:{port} cannot be reached within 10 s .*security group"):
        require_reachable()
