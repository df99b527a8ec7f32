"""The Airflow DAGs of this project: see README.md in the folder above.

Each task runs a command of the project, in the project's own environment. What the commands read from environment
variables, they read from those of Airflow's processes. These are read here:

FLYER_PROJECT    folder of the project, with its environment in .venv (default: the folder that holds this file)
FLYER_EVENTS     what to load: a folder, a pattern, s3://..., or "stream" on Redshift (default: nothing is loaded here)
FLYER_PAGES      folder of the pages for merchants (default: report in the project)
FLYER_EXPORTS    folder or, on Redshift, s3://... of the exports (default: exports in the project)
FLYER_ALERT_URL  webhook to which failures are posted (default: none)
"""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, CronTriggerTimetable, Param

PROJECT = os.environ.get("FLYER_PROJECT") or str(Path(__file__).resolve().parents[3])
EVENTS = os.environ.get("FLYER_EVENTS")
ON_REDSHIFT = os.environ.get("DBT_TARGET") == "redshift"

POOL = "flyer_database"  # of one slot, for tasks that open the database: they queue here, not for the lock
MARTS = Asset("flyer_marts")

PYTHON = ".venv/bin/python"
DBT = ".venv/bin/dbt"
LOAD = (
    f"{DBT} run-operation load_stream" if EVENTS == "stream" else f'{PYTHON} -m flyer_analytics.load -- "$FLYER_EVENTS"'
)
# Redshift has no published copy, and its seeds are loaded once. Data tests of large tables read there what a build has
# written; those of the view of all views can only read everything.
BUILD = (
    f"{DBT} build --exclude-resource-type seed unit_test --indirect-selection cautious"
    ' --exclude int_flyer_views,resource_type:test --vars "$VARS"'
    if ON_REDSHIFT
    else f'{DBT} build --exclude-resource-type unit_test --vars "$VARS" && {PYTHON} -m flyer_analytics.publish'
)
DATE = r"\d{4}-\d{2}-\d{2}"


def alert(context: Any) -> None:
    """Post a task that failed, after its last retry, to FLYER_ALERT_URL: a webhook of Slack, Teams or the like."""
    if url := os.environ.get("FLYER_ALERT_URL"):
        task = context["task_instance"]
        text = f"{task.dag_id}.{task.task_id} failed: {context.get('exception')}\n{task.log_url}"
        httpx.post(url, json={"text": text}, timeout=30).raise_for_status()


def flyer_dag(dag_id: str, description: str, **options: Any) -> DAG:
    """Return a DAG with one active run. A task that takes longer than 6 hours fails."""
    return DAG(
        dag_id,
        description=description,
        tags=["flyer"],
        max_active_runs=1,
        default_args={"retries": 2, "execution_timeout": timedelta(hours=6), "on_failure_callback": alert},
        **options,
    )


def dates(default: str) -> dict[str, Param]:
    """Return the params of a DAG that can be run for some dates. ``default`` says which it is run for without."""
    description = f"2018-10-01, or a first and a last date: 2018-10-01/2018-10-31. Default: {default}"
    return {"dates": Param(None, type=["null", "string"], pattern=rf"^{DATE}(/{DATE})?$", description=description)}


def command(task_id: str, shell: str, **options: Any) -> BashOperator:
    """Return a task that runs a shell command in the project's folder."""
    return BashOperator(task_id=task_id, bash_command=shell, cwd=PROJECT, append_env=True, **options)


def locked(task_id: str, shell: str, **options: Any) -> BashOperator:
    """Return a task that runs a shell command (without single quotes) under the lock that make and the loop take."""
    lock = f'{PYTHON} -m flyer_analytics.lock --as "{{{{ dag.dag_id }}}} in Airflow" --'
    return command(task_id, f"{lock} sh -c '{shell}'", pool=POOL, **options)


# Not at once, if Airflow runs for the first time soon after five.
AT_FIVE = CronTriggerTimetable("0 5 * * *", timezone="UTC", run_immediately=timedelta(0))

with flyer_dag("flyer_build", "Load, build, test and publish", schedule=AT_FIVE) as flyer_build:
    # Build and publish are one task: nothing can be written between the tests and the copy.
    build = locked("build_and_publish", BUILD, env={"VARS": "{}"}, outlets=[MARTS], trigger_rule="all_done")
    if EVENTS:
        load = locked("load", LOAD)
        load >> build
        # A file that cannot be loaded does not keep the others from being built, but the run fails.
        [load, build] >> EmptyOperator(task_id="all_loaded_and_built")

with flyer_dag("flyer_pages", "Write pages for merchants and the documentation site", schedule=[MARTS]) as flyer_pages:
    if not ON_REDSHIFT:  # the pages read the published copy
        command("merchant_pages", f'{PYTHON} -m flyer_analytics.pages --out "${{FLYER_PAGES:-report}}"')
    locked("documentation", f"{DBT} docs generate --quiet && {PYTHON} -m flyer_analytics.site")

with flyer_dag(
    "flyer_export", "Write cleansed events and views as Parquet, by date", schedule=[MARTS], params=dates("all dates")
) as flyer_export:
    locked(
        "export",
        f'{PYTHON} -m flyer_analytics.export ${{DATES:+--dates "$DATES"}} "${{FLYER_EXPORTS:-exports}}"',
        env={"DATES": "{{ params.dates or '' }}"},
    )

with flyer_dag(
    "flyer_recompute",
    "Recompute dates: those of a backfill one after the other, or a range in one run",
    # A backfill needs a schedule, nothing else here does: the first scheduled run is far away.
    schedule="@daily",
    start_date=datetime(2100, 1, 1),
    params=dates("the date of the run"),
) as flyer_recompute:
    recomputed = {"VARS": "{recompute_dates: '{{ params.dates or ds }}'}"}
    locked("recompute_and_publish", BUILD, env=recomputed, outlets=[MARTS])
