"""Run the unit tests and data tests of one model on the sample: ``python -m flyer_analytics.check int_flyer_sessions``.

The models are built in a database of their own, so neither your events nor the last build are affected.
"""

import os
import sys
from difflib import get_close_matches
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

FOLDER = Path("target/check")
DATABASE = FOLDER / "flyer_analytics.duckdb"


def check(name: str) -> bool:
    """Build all models from the sample, then test ``name``. Prints what fails, and returns whether all is well.

    Raises ValueError if there is no such model.
    """
    DATABASE.unlink(missing_ok=True)
    os.environ |= {"FLYER_DUCKDB_PATH": str(DATABASE), "DBT_TARGET_PATH": str(FOLDER)}
    parsed = dbtRunner().invoke(["--quiet", "parse"])
    if not isinstance(parsed.result, Manifest):
        return False
    models = {node.name: node for node in parsed.result.nodes.values() if isinstance(node, ModelNode)}
    if name not in models:
        similar = get_close_matches(name, models, cutoff=0.5)
        hint = f"Did you mean {' or '.join(similar)}?" if similar else f"The models: {', '.join(sorted(models))}"
        raise ValueError(f"there is no model '{name}'. {hint}")
    dbt = dbtRunner(manifest=parsed.result)
    print("Building the models from the sample", flush=True)
    if not dbt.invoke(["--quiet", "run"]).success or not dbt.invoke(["test", "--select", name]).success:
        return False
    print(f"{name} passed its tests. Its rows are in {models[name].schema}.{name} of {DATABASE}")
    return True


if __name__ == "__main__":
    try:
        sys.exit(not check(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"Error: {error}")
