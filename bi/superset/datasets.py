"""Write Superset's datasets from dbt's manifest: ``make superset-datasets``, after a change to marts or metrics.

A dataset is a mart, with the descriptions of its table and columns and the metrics of its semantic model. SQL of a
metric runs on DuckDB and on Redshift.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

EXPORT = Path(__file__).parent / "export"
DATABASE = yaml.safe_load((EXPORT / "databases" / "flyer_marts.yaml").read_text(encoding="utf-8"))
MARTS = ("user_daily_avg_flyer_time", "merchant_flyer_engagement", "merchant_flyer_daily", "merchant_hourly")
AGGREGATIONS = {"sum": "sum({})", "count": "count({})", "count_distinct": "count(distinct {})"}
NUMBERS = ("bigint", "decimal", "integer")
# d3's formats, by a part of a metric's name. Others are counts.
FORMATS = {"share": ".1%", "_secs": ",.1f"}

Entry = dict[str, Any]


def words(name: str) -> str:
    """Return a column's name as a heading: merchant_id is Merchant id."""
    return name.replace("_", " ").capitalize()


def one_line(text: str) -> str:
    return " ".join(text.split())


def column(found: Entry, labels: dict[str, str]) -> Entry:
    """Return a column. Superset has one heading for a column and a metric of the same name, so they share the label."""
    is_number = found["data_type"].startswith(NUMBERS)
    return {
        "column_name": found["name"],
        "verbose_name": labels.get(found["name"], words(found["name"])),
        "is_dttm": found["data_type"] == "date",
        "is_active": True,
        "type": found["data_type"].upper(),
        "advanced_data_type": None,
        "groupby": not is_number or found["name"] == "hour",
        "filterable": True,
        "expression": None,
        "description": one_line(found["description"]),
        "python_date_format": None,
        "extra": None,
    }


def expressions(manifest: Entry) -> dict[str, tuple[str, str]]:
    """Return of each metric the mart and the SQL. Raises KeyError for a kind of metric that Superset cannot compute."""
    found = {
        measure["name"]: (
            model["node_relation"]["alias"],
            AGGREGATIONS[measure["agg"]].format(measure["expr"] or measure["name"]),
        )
        for model in manifest["semantic_models"].values()
        for measure in model["measures"]
    }
    for metric in manifest["metrics"].values():
        if metric["type"] == "ratio":
            (mart, numerator), (_, denominator) = (
                found[metric["type_params"][part]["name"]] for part in ("numerator", "denominator")
            )
            # Redshift divides integers without remainder, and stops at a division by zero.
            found[metric["name"]] = mart, f"cast({numerator} as double precision) / nullif({denominator}, 0)"
    return {metric["name"]: found[metric["name"]] for metric in manifest["metrics"].values()}


def metric(found: Entry, sql: str) -> Entry:
    d3format = next((it for part, it in FORMATS.items() if part in found["name"]), ",d")
    return {
        "metric_name": found["name"],
        "verbose_name": found["label"],
        "metric_type": None,
        "expression": sql,
        "description": one_line(found["description"]),
        "d3format": d3format,
        "currency": None,
        "extra": {},
        "warning_text": None,
    }


def datasets(manifest: Entry) -> dict[str, str]:
    """Return by file name the YAML of each mart's dataset."""
    nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    labels = {metric["name"]: metric["label"] for metric in manifest["metrics"].values()}
    sql = expressions(manifest)
    return {
        f"{mart}.yaml": yaml.safe_dump(
            {
                "table_name": mart,
                "main_dttm_col": "date",
                "currency_code_column": None,
                "description": one_line(nodes[mart]["description"]),
                "default_endpoint": None,
                "offset": 0,
                "cache_timeout": None,
                "catalog": None,
                "schema": nodes[mart]["schema"],
                "sql": None,
                "params": None,
                "template_params": None,
                "filter_select_enabled": True,
                "fetch_values_predicate": None,
                "extra": None,
                "normalize_columns": False,
                "always_filter_main_dttm": False,
                "folders": None,
                "uuid": str(uuid5(NAMESPACE_URL, f"flyer_analytics/{mart}")),
                "metrics": [
                    metric(found, sql[found["name"]][1])
                    for found in sorted(manifest["metrics"].values(), key=lambda found: str(found["name"]))
                    if sql[found["name"]][0] == mart
                ],
                "columns": [column(found, labels) for found in nodes[mart]["columns"].values()],
                "version": "1.0.0",
                "database_uuid": DATABASE["uuid"],
            },
            sort_keys=False,
            allow_unicode=True,
            width=120,
        )
        for mart in MARTS
    }


def main() -> None:
    target = Path(os.environ.get("DBT_TARGET_PATH", "target"))
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    folder = EXPORT / "datasets" / DATABASE["database_name"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in datasets(manifest).items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"Written: {folder}")


if __name__ == "__main__":
    main()
