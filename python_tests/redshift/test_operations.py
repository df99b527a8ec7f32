"""Grants, exports and row-level security, run by the real adapter on the Redshift stand-in."""

from collections.abc import Iterator

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from python_tests.conftest import REDSHIFT_DATABASE, RedshiftProject
from tools.redshift_standin.edits import edit
from tools.redshift_standin.standin import Standin

ROLES = ["bi", "scientists", "merchants", "builder"]


@pytest.fixture(scope="module")
def built(
    seeded_standin: tuple[Standin, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedshiftProject]:
    """All models, built without rows, with the grants that the environment asks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_REDSHIFT_READERS", "role:bi")
        patch.setenv("FLYER_REDSHIFT_EXPLORERS", "role:scientists")
        parsed = dbtRunner().invoke(["--quiet", "parse", "--target", "redshift"])
        assert isinstance(parsed.result, Manifest), parsed.exception
        standin, _ = seeded_standin
        project = RedshiftProject(parsed.result, tmp_path_factory.mktemp("redshift"), standin=standin)
        project.start_over()
        for role in ROLES:
            project.query(f"create role {role}")
        project.dbt("run", "--empty")
        patch.setattr(standin, "_emulations", dict(standin._emulations))
        yield project
        project.start_over()
        for role in ROLES:
            project.query(f"drop owned by {role}; drop role {role}")


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


def can_read_all_columns(project: RedshiftProject) -> list[str]:
    """The tables that merchants can read. Fails if they can read some columns of a table but not all."""
    columns = project.query(
        "select relname, bool_and(has_column_privilege('merchants', attrelid, attnum, 'select'))"
        " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where relkind in ('r', 'v') and attnum > 0"
        " and relnamespace::regnamespace::text in ('staging', 'intermediate', 'marts')"
        " and has_any_column_privilege('merchants', attrelid, 'select') group by relname order by relname"
    )
    assert all(may_read_all for _, may_read_all in columns)
    return [table for table, _ in columns]


def test_readers_read_marts_and_explorers_the_other_models(built: RedshiftProject) -> None:
    models = [node for node in built.manifest.nodes.values() if isinstance(node, ModelNode)]
    marts = {model.name for model in models if model.schema == "marts"}
    for run_again in (True, False):
        assert can_read(built, "bi") == marts
        # The view that reads raw would need usage of raw, too.
        assert can_read(built, "scientists") == {model.name for model in models} - marts - {"base_flyer_app__events"}
        if run_again:
            built.dbt("run")


def test_merchants_can_read_the_columns_of_their_marts(built: RedshiftProject) -> None:
    for words in ["grant ignore rls", "create rls policy", "drop rls policy", "attach rls policy"]:
        built.standin.emulate(words, lambda _: "select 1")
    built.standin.emulate("alter table", lambda sql: "select 1" if "row level security" in sql else edit(sql))
    arguments = "{merchants: merchants, staff: [bi], builder: builder}"
    for _ in range(2):
        built.dbt("run-operation", "protect_merchant_rows", "--args", arguments)
        assert can_read_all_columns(built) == ["merchant_flyer_daily", "merchant_hourly"]
        assert built.query('select count(*) from "raw".merchant_readers') == [(0,)]
        # dbt does not revoke privileges on columns
        built.dbt("run", "--select", "merchant_flyer_daily", "merchant_hourly")
    built.dbt("run-operation", "unprotect_merchant_rows", "--args", "{merchants: merchants}")
    assert can_read_all_columns(built) == []


def test_exports_are_unloaded(built: RedshiftProject) -> None:
    built.query("create function redshift.pg_last_unload_count() returns bigint language sql as 'select 7'")
    built.standin.emulate("unload", lambda _: "select 1")
    built.standin.statements.clear()
    built.dbt("run-operation", "export_events", "--args", "{path: 's3://lake/', dates: 2018-10-01}")
    assert "\n".join(built.messages).splitlines()[-2:] == [
        "s3://lake/stg_flyer_app__events: 7 rows",
        "s3://lake/int_flyer_views: 7 rows",
    ]
    unloaded = [sql for sql in built.standin.statements_of(REDSHIFT_DATABASE) if "unload (" in sql]
    assert len(unloaded) == 2
    assert all("date between ''2018-10-01'' and ''2018-10-01''" in sql for sql in unloaded)
