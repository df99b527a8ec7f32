"""Grants, exports and merchants' rows, sent to the stand-in by the real adapter after a run."""

from collections.abc import Iterator

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from tests.redshift.edits import edit

from .conftest import REDSHIFT_DATABASE, RedshiftProject

ROLES = ["bi", "scientists", "merchants", "builder"]


@pytest.fixture
def built(redshift: RedshiftProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedshiftProject]:
    """All models, made on no rows, under the grants of the environment."""
    monkeypatch.setenv("FLYER_REDSHIFT_READERS", "role:bi")
    monkeypatch.setenv("FLYER_REDSHIFT_EXPLORERS", "role:scientists")
    parsed = dbtRunner().invoke(["--quiet", "parse", "--target", "redshift"])
    assert isinstance(parsed.result, Manifest), parsed.exception
    redshift.manifest = parsed.result
    for role in ROLES:
        redshift.query(f"create role {role}")
    redshift.dbt("run", "--empty")
    redshift.standin.statements.clear()
    monkeypatch.setattr(redshift.standin, "_emulations", dict(redshift.standin._emulations))
    yield redshift
    redshift.start_over()
    for role in ROLES:
        redshift.query(f"drop owned by {role}; drop role {role}")


def can_read(project: RedshiftProject, role: str) -> set[str]:
    return {
        relation
        for schema, relation in project.query(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('staging', 'intermediate', 'marts')"
            f" and has_schema_privilege('{role}', table_schema, 'usage')"
            f" and has_table_privilege('{role}', quote_ident(table_schema) || '.' || table_name, 'select')"
        )
    }


def test_who_may_read_what(built: RedshiftProject) -> None:
    layers = {"base_flyer_app__events", "stg_flyer_app__events", "stg_flyer_app__rejected"} | {
        f"int_flyer_{name}"
        for name in ["days_affected", "days_touched", "events_sequenced", "session_parts", "sessions", "views"]
    }
    for _ in range(2):
        assert can_read(built, "bi") == {"user_daily_avg_flyer_time", "merchant_flyer_engagement"}
        assert can_read(built, "scientists") == layers
        built.dbt("run")


def test_merchants_are_granted_columns_behind_their_policy(built: RedshiftProject) -> None:
    for words in ["grant ignore rls", "create rls policy", "drop rls policy", "attach rls policy"]:
        built.standin.emulate(words, lambda _: "select 1")
    built.standin.emulate("alter table", lambda sql: "select 1" if "row level security" in sql else edit(sql))
    arguments = "{merchants: merchants, staff: [bi], builder: builder}"
    for _ in range(2):
        built.dbt("run-operation", "protect_merchant_rows", "--args", arguments)
        visible = built.query(
            "select attname from pg_attribute where attrelid = 'marts.merchant_flyer_engagement'::regclass"
            " and attnum > 0 and has_column_privilege('merchants', attrelid, attnum, 'select')"
        )
        assert {column for (column,) in visible} == {
            "merchant_id", "flyer_id", "date", "total_view_secs", "measured_views", "views"
        }  # fmt: skip
        assert built.query('select count(*) from "raw".merchant_readers') == [(0,)]
        # dbt leaves alone what it did not grant
        built.dbt("run")
    built.dbt("run-operation", "unprotect_merchant_rows", "--args", "{merchants: merchants}")
    assert built.query("select has_any_column_privilege('merchants', 'marts.merchant_flyer_engagement', 'select')") == [
        (False,)
    ]


def test_exports_are_unloaded(built: RedshiftProject) -> None:
    built.query("create function redshift.pg_last_unload_count() returns bigint language sql as 'select 7'")
    built.standin.emulate("unload", lambda _: "select 1")
    built.dbt("run-operation", "export_events", "--args", "{path: 's3://lake/', dates: 2018-10-01}")
    assert "\n".join(built.messages).splitlines()[-2:] == [
        "s3://lake/stg_flyer_app__events: 7 rows",
        "s3://lake/int_flyer_views: 7 rows",
    ]
    unloaded = [sql for sql in built.standin.statements_of(REDSHIFT_DATABASE) if "unload (" in sql]
    assert len(unloaded) == 2
    assert all("date between ''2018-10-01'' and ''2018-10-01''" in sql for sql in unloaded)
