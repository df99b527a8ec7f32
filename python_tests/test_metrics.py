"""Metrics equal SQL on the marts. MetricFlow writes a query, DuckDB runs it."""

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
from metricflow_semantics.errors.error_classes import InvalidQueryException
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from flyer_analytics import generate, publish
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
INTERNAL = {
    **{f"internal_merchant_{name}": figure for name, figure in OF_BOTH_MARTS.items()},
    "internal_flyers": "count(distinct flyer_id) filter (views > 0)",
}
OF_MERCHANTS = {
    "merchant_daily_readers": "sum(readers)",
    "merchant_views": "sum(views)",
    "merchant_measured_views": "sum(measured_views)",
    "merchant_measured_view_share": "sum(measured_views)::double / nullif(sum(views), 0)",
    "merchant_total_view_secs": "sum(total_view_secs)",
    "merchant_timed_views": "sum(measured_views) filter (total_view_secs is not null)",
    "merchant_avg_view_secs": (
        "sum(total_view_secs)::double / nullif(sum(measured_views) filter (total_view_secs is not null), 0)"
    ),
    "merchant_items_opened": "sum(items_opened)",
    "merchant_views_to_other_merchants": "sum(views_to_other_merchants)",
    "merchant_share_to_other_merchants": "sum(views_to_other_merchants)::double / nullif(sum(views), 0)",
    "merchant_suppressed_flyer_days": "count(*) filter (is_suppressed)",
}
BY_HOUR = {"merchant_hourly_views": "sum(views)"}
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
        f"date_trunc('{name.removeprefix('metric_time__')}', date)"
        if name.startswith("metric_time")
        else name.removeprefix("merchant_hour__").removesuffix("_of_day")
        for name in group_by
    ]
    columns = [f"{sql} as {name}" for name, sql in [*zip(group_by, keys, strict=True), *asked.items()]]
    order = f"group by {', '.join(keys)} order by {', '.join(keys)}" if keys else ""
    return project.rows(f"(select {', '.join(columns)} from marts.{mart} {order})")


def test_metrics_equal_the_marts(project: Project, ask: Ask) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "3000", "--merchants", "24", "--days", "4", "--start", "2018-10-30"])
    project.load(events)
    project.dbt("run")
    for mart, metrics, group_bys in (
        ("user_daily_avg_flyer_time", OF_USERS, [(), *TIMES, ("user_id",), ("user_id", "metric_time__week")]),
        (
            "merchant_flyer_engagement",
            INTERNAL,
            [(), *TIMES, ("merchant_id",), ("flyer_id", "metric_time__month"), ("merchant_id", "user_id")],
        ),
        ("merchant_flyer_daily", OF_MERCHANTS, [(), *TIMES, ("merchant_id",), ("flyer_id", "metric_time__month")]),
        ("merchant_hourly", BY_HOUR, [(), *TIMES, ("merchant_id", "merchant_hour__hour_of_day")]),
    ):
        for group_by in group_bys:
            found = ask(metric_names=list(metrics), group_by_names=list(group_by))
            assert found == figures(project, mart, metrics, group_by), f"{mart} by {group_by}"
    defined = OF_USERS.keys() | INTERNAL.keys() | OF_MERCHANTS.keys() | BY_HOUR.keys()
    assert {metric.name for metric in project.manifest.metrics.values()} == defined
    # cases in which a wrong join or average would show
    assert None in {row["merchant_id"] for row in project.rows("marts.merchant_flyer_engagement")}
    assert len(ask(metric_names=["views"], group_by_names=["metric_time__month"])) == 2
    assert 0 < ask(metric_names=["merchant_suppressed_flyer_days"])[0]["merchant_suppressed_flyer_days"] < 50
    timed, measured = (f"merchant_{kind}_views" for kind in ("timed", "measured"))
    of_all = ask(metric_names=[timed, measured])[0]
    assert 0 < of_all[timed] < of_all[measured]

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
    expected = figures(project, "merchant_flyer_daily", asked, keys)
    assert "user_id" not in flyers[0]
    assert len(flyers) == len(expected)
    assert all(row in flyers for row in expected)


def test_metrics_for_merchants_read_only_the_marts_for_merchants(project: Project, ask: Ask) -> None:
    """These marts depend on no hidden figure (test_suppression.py), so nor do sums and ratios of their columns."""
    for metric in project.manifest.metrics.values():
        models = read_by(project, metric.unique_id)
        if metric.name.startswith("merchant_"):
            assert models <= {"merchant_flyer_daily", "merchant_hourly"}, metric.name
        elif "merchant_flyer_engagement" in models:
            assert metric.name.startswith("internal_")
            assert metric.label.endswith("(internal)")
    with pytest.raises(InvalidQueryException, match="user_id"):
        ask(metric_names=["merchant_views"], group_by_names=["user_id"])


def read_by(project: Project, node: str) -> set[str]:
    """Return the names of the models that a metric or semantic model reads."""
    if node.startswith("model."):
        return {project.manifest.nodes[node].name}
    definition = project.manifest.metrics.get(node) or project.manifest.semantic_models[node]
    return {model for parent in definition.depends_on.nodes for model in read_by(project, parent)}


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
    names = ["avg_time_spent_in_secs", "avg_view_secs", "measured_view_share", "readers", "sessions", "internal_flyers"]
    of_u = {"metric_names": names, "where_constraints": ["{{ Entity('user_id') }} = 'u'"]}
    figures_of_u = ask(**of_u, group_by_names=["metric_time__day"])[0]
    assert [figures_of_u[name] for name in names] == [900.0, pytest.approx(220 / 3), 0.6, 1, 3, 3]

    by_flyer = ask(
        metric_names=[f"internal_merchant_{name}" for name in ("avg_time_spent_in_secs", "avg_view_secs", "views")],
        group_by_names=["flyer_id"],
        where_constraints=["{{ Entity('user_id') }} = 'u'"],
    )
    assert [tuple(row.values()) for row in by_flyer] == [
        ("F1", 270.0, 100.0, 2),
        ("F2", 60.0, 90.0, 2),
        ("F3", 3000.0, 30.0, 1),
    ]
    by_day = ask(metric_names=["readers", "internal_merchant_readers"], group_by_names=["metric_time__day"])
    assert [(row["readers"], row["internal_merchant_readers"]) for row in by_day] == [(1, 1), (1, 1)]


@pytest.mark.usefixtures("artifacts")
def test_mf_reads_the_published_copy_during_a_build(project: Project) -> None:
    """It prints what docs/metrics.md says."""
    project.dbt("run")
    project.disconnect()
    assert publish.main() == 0
    # mf looks for target/semantic_manifest.json only beside dbt_project.yml
    (project.folder / "dbt_project.yml").symlink_to(PROJECT / "dbt_project.yml")
    (project.folder / "target").symlink_to(os.environ["DBT_TARGET_PATH"])
    page = PROJECT / "docs" / "metrics.md"
    program = f"""
from pathlib import Path
from tools.examples import rewritten
page = Path({str(page)!r}).read_text()
Path("metrics.md").write_text(rewritten(page, Path()))
"""
    environment = {
        "DBT_PROJECT_DIR": str(project.folder),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET": "published",
        "FLYER_PUBLISHED_PATH": str(project.folder / "published"),
        "PYTHONPATH": str(PROJECT),
    }
    with duckdb.connect(str(project.database)):  # locked, as during a build
        subprocess.run([sys.executable, "-c", program], cwd=project.folder, env=os.environ | environment, check=True)
    assert (project.folder / "metrics.md").read_text() == page.read_text()
