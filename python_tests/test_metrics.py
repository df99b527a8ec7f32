"""Metrics equal SQL on the marts. MetricFlow writes a query, DuckDB runs it."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.factory import get_adapter_by_type
from dbt_metricflow.cli.dbt_connectors.adapter_backed_client import AdapterBackedSqlClient
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from flyer_analytics import generate
from python_tests.conftest import PROJECT, Project

OF_BOTH_MARTS = {
    "total_time_spent_in_secs": "sum(total_time_spent_in_secs)",
    "measured_gaps": "sum(measured_gaps)",
    "avg_time_spent_in_secs": "sum(total_time_spent_in_secs)::double / nullif(sum(measured_gaps), 0)",
    "total_view_secs": "sum(total_view_secs)",
    "measured_views": "sum(measured_views)",
    "avg_view_secs": "sum(total_view_secs)::double / nullif(sum(measured_views), 0)",
    "views": "sum(views)",
    "measured_view_share": "sum(measured_views)::double / nullif(sum(views), 0)",
    "readers": "count(distinct user_id) filter (views > 0)",
}
OF_USERS = {**OF_BOTH_MARTS, "sessions": "sum(sessions)"}
OF_MERCHANTS = {
    **{f"merchant_{name}": figure for name, figure in OF_BOTH_MARTS.items()},
    "flyers": "count(distinct flyer_id) filter (views > 0)",
}
TIMES = [("metric_time__day",), ("metric_time__week",), ("metric_time__month",)]

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(project: Project, artifacts: None) -> Ask:  # noqa: ARG001
    """Query MetricFlow on the built project, with the arguments of its requests. Returns sorted rows."""

    def asked(**request: Any) -> list[dict[str, Any]]:
        semantic_manifest = (Path(os.environ["DBT_TARGET_PATH"]) / "semantic_manifest.json").read_text()
        lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(semantic_manifest))
        engine = MetricFlowEngine(lookup, AdapterBackedSqlClient(get_adapter_by_type("duckdb")))  # type: ignore[no-untyped-call]
        sql = engine.explain(MetricFlowQueryRequest.create(**request)).sql_statement.sql
        with project.connect() as connection:
            found = connection.sql(sql).order(", ".join(request.get("group_by_names", ())) or "1")
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    return asked


def figures(project: Project, mart: str, asked: dict[str, str], group_by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the same figures by SQL, grouped by columns of ``mart`` and by metric_time."""
    keys = [
        f"date_trunc('{name.removeprefix('metric_time__')}', date)" if name.startswith("metric_time") else name
        for name in group_by
    ]
    columns = [f"{sql} as {name}" for name, sql in [*zip(group_by, keys, strict=True), *asked.items()]]
    order = f"group by {', '.join(keys)} order by {', '.join(keys)}" if keys else ""
    return project.rows(f"(select {', '.join(columns)} from marts.{mart} {order})")


def test_metrics_equal_the_marts(project: Project, ask: Ask) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "3000", "--users", "40", "--days", "4", "--start", "2018-10-30"])
    project.load(events)
    project.dbt("run")
    for mart, metrics, group_bys in (
        ("user_daily_avg_flyer_time", OF_USERS, [(), *TIMES, ("user_id",), ("user_id", "metric_time__week")]),
        (
            "merchant_flyer_engagement",
            OF_MERCHANTS,
            [(), *TIMES, ("merchant_id",), ("flyer_id", "metric_time__month"), ("merchant_id", "user_id")],
        ),
    ):
        for group_by in group_bys:
            found = ask(metric_names=list(metrics), group_by_names=list(group_by))
            assert found == figures(project, mart, metrics, group_by), f"{mart} by {group_by}"
    assert {metric.name for metric in project.manifest.metrics.values()} == OF_USERS.keys() | OF_MERCHANTS.keys()
    # cases in which a wrong join or average would show
    assert None in {row["merchant_id"] for row in project.rows("marts.merchant_flyer_engagement")}
    assert len(ask(metric_names=["views"], group_by_names=["metric_time__month"])) == 2

    users = {(f"{row['metric_time__day']:%F}", row["user_id"]): row for row in ask(saved_query_name="users_per_day")}
    user_days = project.rows("marts.user_daily_avg_flyer_time")
    assert len(users) == len(user_days)
    for row in user_days:
        user = users[f"{row['date']:%F}", row["user_id"]]
        for exact in ("total_time_spent_in_secs", "total_view_secs", "views", "sessions"):
            assert user[exact] == row[exact]
        for average in ("avg_time_spent_in_secs", "avg_view_secs"):
            assert (user[average] is None) == (row[average] is None)
            # computed from a rounded total
            assert user[average] is None or abs(Decimal(user[average]) - row[average]) <= Decimal("0.01")

    flyers = ask(saved_query_name="merchant_flyers_per_day")
    keys = ("merchant_id", "flyer_id", "metric_time__day")
    asked = {name: figure for name, figure in OF_MERCHANTS.items() if name in flyers[0]}
    expected = figures(project, "merchant_flyer_engagement", asked, keys)
    assert "user_id" not in flyers[0]
    assert len(flyers) == len(expected)
    assert all(row in flyers for row in expected)


def test_worked_example(project: Project, ask: Ask) -> None:
    """The figures of docs/definitions.md, and a reader whose view spans midnight."""
    events = project.folder / "events.csv"
    events.write_text("""timestamp,user_id,event,flyer_id,merchant_id
2018-10-01T10:00:00-04:00,u,flyer_open,F1,M1
2018-10-01T10:00:40-04:00,u,item_open,F1,M1
2018-10-01T10:01:40-04:00,u,flyer_open,F2,M2
2018-10-01T10:02:10-04:00,u,favorite,,M2
2018-10-01T10:03:10-04:00,u,shopping_list_open,,
2018-10-01T10:10:00-04:00,u,flyer_open,F1,M1
2018-10-01T11:00:00-04:00,u,flyer_open,F3,M3
2018-10-01T11:00:30-04:00,u,list_flyers,,
2018-10-01T14:00:00-04:00,u,flyer_open,F2,M2
2018-09-30T23:59:00-04:00,v,flyer_open,F1,M1
2018-10-01T00:01:00-04:00,v,item_open,F1,M1
""")
    project.load(events)
    project.dbt("run")
    names = ["avg_time_spent_in_secs", "avg_view_secs", "measured_view_share", "readers", "sessions", "flyers"]
    of_u = {"metric_names": names, "where_constraints": ["{{ Entity('user_id') }} = 'u'"]}
    figures_of_u = ask(**of_u, group_by_names=["metric_time__day"])[0]
    assert [figures_of_u[name] for name in names] == [900.0, pytest.approx(220 / 3), 0.6, 1, 3, 3]

    by_flyer = ask(
        metric_names=["merchant_avg_time_spent_in_secs", "merchant_avg_view_secs", "merchant_views"],
        group_by_names=["flyer_id"],
        where_constraints=["{{ Entity('user_id') }} = 'u'"],
    )
    assert [tuple(row.values()) for row in by_flyer] == [
        ("F1", 270.0, 100.0, 2),
        ("F2", 60.0, 90.0, 2),
        ("F3", 3000.0, 30.0, 1),
    ]
    by_day = ask(metric_names=["readers", "merchant_readers"], group_by_names=["metric_time__day"])
    assert [(row["readers"], row["merchant_readers"]) for row in by_day] == [(1, 1), (1, 1)]


@pytest.mark.usefixtures("artifacts")
def test_mf_reads_the_published_copy_during_a_build(project: Project) -> None:
    project.dbt("run")
    published = project.folder / "flyer_marts.duckdb"
    with project.connect() as connection:
        connection.execute(f"attach '{published}' as copy; create schema copy.marts")
        for mart in ("user_daily_avg_flyer_time", "merchant_flyer_engagement"):
            connection.execute(f"create table copy.marts.{mart} as from marts.{mart}")
    # mf looks for target/semantic_manifest.json only beside dbt_project.yml
    (project.folder / "dbt_project.yml").symlink_to(PROJECT / "dbt_project.yml")
    (project.folder / "target").symlink_to(os.environ["DBT_TARGET_PATH"])
    answer = project.folder / "answer.csv"
    command = ["mf", "query", "--metrics", "views,sessions", "--group-by", "metric_time__month", "--csv", str(answer)]
    environment = {
        "DBT_PROJECT_DIR": str(project.folder),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET": "published",
        "FLYER_PUBLISHED_PATH": str(project.folder),
    }
    with duckdb.connect(str(project.database)):  # locked, as during a build
        asked = subprocess.run(
            [Path(sys.executable).parent / command[0], *command[1:]],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    with answer.open() as file:
        rows = list(csv.DictReader(file))
    views, sessions = project.query("select sum(views), sum(sessions) from marts.user_daily_avg_flyer_time")[0]
    assert rows == [{"metric_time__month": "2018-11-01 00:00:00", "views": str(views), "sessions": str(sessions)}]
