"""What the target `duckdb` of profiles.yml says, for the commands that open the database beside dbt."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

PROFILES = Path(__file__).parents[1] / "profiles.yml"


@cache
def duckdb_target() -> dict[str, Any]:
    profiles = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))
    target: dict[str, Any] = profiles["flyer_analytics"]["outputs"]["duckdb"]
    return target


def rendered(text: str) -> str:
    """Return ``text`` with the values of environment variables in place of ``{{ env_var(...) }}``."""
    return jinja2.Template(text).render(env_var=os.environ.get)


def database_path() -> Path:
    """Return the database that dbt builds."""
    return Path(rendered(duckdb_target()["path"]))


def memory_limit() -> str:
    """Return how much memory DuckDB may use, such as 12GB."""
    return rendered(duckdb_target()["settings"]["memory_limit"])


def storage_version() -> str:
    """Return the oldest version of DuckDB that can read the files, such as v1.4.0."""
    return str(duckdb_target()["config_options"]["storage_compatibility_version"])
