"""Print what CloudWatch is to know of a build, as JSON: ``python infrastructure/runner/build_metrics.py STATUS``."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REJECTED = "test.flyer_analytics.assert_few_rows_are_rejected"


def metrics(build_status: int, target: Path) -> dict[str, float]:
    """Return metrics by name, of the build's exit status and of what dbt wrote into the folder ``target``.

    What is not known, since dbt did not come so far, has no metric.
    """
    found = {"BuildSucceeded": float(build_status == 0)}
    for result in results(target / "run_results.json"):
        if result["unique_id"].split(".")[:3] == REJECTED.split(".") and result.get("failures") is not None:
            found["ManyRowsRejected"] = float(result["failures"])  # 1: a warning, 2: all new rows
    for result in results(target / "sources.json"):
        if (age_secs := result.get("max_loaded_at_time_ago_in_s")) is not None:
            found["SourceAgeHours"] = max(found.get("SourceAgeHours", 0.0), age_secs / 3600)
    return found


def results(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        yield from json.loads(file.read_text(encoding="utf-8"))["results"]


def metric_data(values: dict[str, float], environment: str) -> str:
    """Return the argument of ``aws cloudwatch put-metric-data --metric-data``."""
    dimensions = [{"Name": "Environment", "Value": environment}]
    data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in values.items()]
    return json.dumps(data)


if __name__ == "__main__":
    print(metric_data(metrics(int(sys.argv[1]), Path("target")), os.environ["FLYER_ENVIRONMENT"]))
