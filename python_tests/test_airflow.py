"""The DAGs of orchestration/airflow, run by the Airflow that `make airflow` starts, on a database of their own."""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import duckdb
import httpx
import pytest

from flyer_analytics.lock import writer_lock
from python_tests.conftest import DATABASE, PROJECT

AIRFLOW = PROJECT / "orchestration" / "airflow"
BIN = AIRFLOW / ".venv" / "bin"
WAIT_SECS = 240
HEADER = "timestamp,user_id,event,flyer_id,merchant_id\n"
BACKFILL = "backfill create --dag-id flyer_recompute --from-date 2018-11-03 --to-date 2018-11-04 --max-active-runs 1"


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECS
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(1)
    return value


@dataclass
class Airflow:
    """An Airflow on this machine, through the API that its page uses."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    api: httpx.Client
    alerts: list[str]

    def get(self, path: str) -> Any:
        return self.api.get(path).raise_for_status().json()

    def trigger(self, dag: str, **conf: str) -> httpx.Response:
        return self.api.post(f"dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})

    def runs(self, dag: str, number: int = 1) -> list[str]:
        """The states of the DAG's runs, in order, once that many have ended."""

        def ended() -> list[dict[str, Any]] | None:
            runs = self.get(f"dags/{dag}/dagRuns?order_by=start_date")["dag_runs"]
            return runs if [run["end_date"] is not None for run in runs] == [True] * number else None

        return [str(run["state"]) for run in wait_for(ended)]

    def views_by_date(self) -> dict[date, int]:
        """What is published."""
        with duckdb.connect(self.folder / "published" / "flyer_marts.duckdb", read_only=True) as copy:
            views = copy.sql("select date, sum(views) from marts.user_daily_avg_flyer_time group by date")
            return dict(views.fetchall())


@pytest.fixture
def alerts() -> Iterator[tuple[str, list[str]]]:
    """The address of a webhook, and what was posted to it."""
    posted: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", posted
        server.shutdown()


@pytest.fixture
def airflow(tmp_path: Path, alerts: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    assert (BIN / "airflow").exists(), "Airflow is not installed: make orchestration/airflow/.venv/.done"
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / DATABASE))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.delenv("DBT_WRITE_JSON")
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": str(2 * WAIT_SECS),  # the file of the DAGs does not change
        "PORT": str(port),
        "FLYER_EVENTS": str(tmp_path / "events"),
        "FLYER_PAGES": str(tmp_path / "pages"),
        "FLYER_EXPORTS": str(tmp_path / "exports"),
        "FLYER_ALERT_URL": alerts[0],
    }
    started = subprocess.Popen(
        [BIN / "python", AIRFLOW / "local.py"], env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert started.stdout
    try:
        said = started.stdout.readline()
        assert f"http://localhost:{port}, user admin, password " in said
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            login = client.post("/auth/token", json={"username": "admin", "password": said.split()[-1]})
            client.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['access_token']}"
            client.base_url = client.base_url.join("/api/v2/")
            yield Airflow(tmp_path, environment, started, client, alerts[1])
    finally:
        started.terminate()
        started.wait()


def test_dags_run(airflow: Airflow, tmp_path: Path) -> None:
    """One test, since Airflow takes long to start. Each step goes on with the database of the one before."""
    events = tmp_path / "events"
    events.mkdir()
    shutil.copy(PROJECT / "seeds" / "sample_flyer_events.csv", events)
    all_dags_are_read(airflow)
    pages_and_exports_follow_a_build(airflow)
    a_backfill_recomputes_one_date_after_the_other(airflow)
    what_fails_is_not_published(airflow, events)
    ctrl_c_stops_tasks_too(airflow)


def all_dags_are_read(airflow: Airflow) -> None:
    dags = wait_for(lambda: airflow.get("dags")["dags"])
    assert {dag["dag_id"] for dag in dags} == {"flyer_build", "flyer_export", "flyer_pages", "flyer_recompute"}
    assert airflow.get("importErrors")["import_errors"] == []
    assert airflow.get("dagWarnings")["dag_warnings"] == []  # among others, of pools that do not exist
    assert airflow.get("pools/flyer_database")["slots"] == 1
    for dag in dags:
        assert airflow.get(f"dags/{dag['dag_id']}/details")["max_active_runs"] == 1


def pages_and_exports_follow_a_build(airflow: Airflow) -> None:
    airflow.trigger("flyer_build").raise_for_status()
    assert airflow.runs("flyer_build") == ["success"]
    assert sum(airflow.views_by_date().values()) > 1000
    assert airflow.runs("flyer_pages") == airflow.runs("flyer_export") == ["success"]
    assert (airflow.folder / "pages" / "index.html").exists()
    assert (airflow.folder / "target" / "static_index.html").exists()
    for name in ("stg_flyer_app__events", "int_flyer_views"):
        exported = {file.parent.name for file in (airflow.folder / "exports" / name).glob("*/*.parquet")}
        assert exported >= {f"date={day}" for day in airflow.views_by_date()}
    for dag in ("flyer_pages", "flyer_export"):  # they would follow the next builds as well
        airflow.api.patch(f"dags/{dag}", json={"is_paused": True}).raise_for_status()


def a_backfill_recomputes_one_date_after_the_other(airflow: Airflow) -> None:
    """Raw rows are corrected on three dates, of which a backfill recomputes two."""
    before = airflow.views_by_date()
    with duckdb.connect(airflow.folder / DATABASE) as database:
        database.execute(
            "update raw.flyer_events set event = 'list_flyers', flyer_id = null, merchant_id = null"
            " where event = 'flyer_open' and timestamp[:10] in ('2018-11-03', '2018-11-04', '2018-11-06')"
        )
    subprocess.run([BIN / "airflow", *BACKFILL.split()], env=airflow.environment, capture_output=True, check=True)
    assert airflow.runs("flyer_recompute", 2) == ["success", "success"]
    first, second = airflow.get("dags/flyer_recompute/dagRuns?order_by=start_date")["dag_runs"]
    assert (first["logical_date"][:10], second["logical_date"][:10]) == ("2018-11-03", "2018-11-04")
    assert first["end_date"] <= second["start_date"]
    after = airflow.views_by_date()
    assert {day.day for day in before if after[day] < before[day]} == {3, 4}


def what_fails_is_not_published(airflow: Airflow, events: Path) -> None:
    """A file that cannot be loaded keeps no others from being built. The run fails, and each failure is told."""
    before = airflow.views_by_date()
    (events / "broken.csv").write_text("timestamp,user_id\n2018-11-02T10:00:00Z,u\n")
    (events / "unusable.csv").write_text(f"{HEADER}2018-11-02T10:00:00Z,u,no_such_event,1,2\n")
    run = airflow.trigger("flyer_build").raise_for_status().json()["dag_run_id"]
    assert airflow.runs("flyer_build", 2) == ["success", "failed"]
    tasks = airflow.get(f"dags/flyer_build/dagRuns/{run}/taskInstances")["task_instances"]
    assert {task["task_id"]: (task["state"], task["try_number"]) for task in tasks} == {
        "load": ("failed", 3),
        "build_and_publish": ("failed", 3),
        "all_loaded_and_built": ("upstream_failed", 0),
    }
    wait_for(lambda: len(airflow.alerts) == 2)
    assert [alert.split(": ")[0] for alert in airflow.alerts] == [
        "flyer_build.load failed",
        "flyer_build.build_and_publish failed",
    ]
    assert all(f"/dags/flyer_build/runs/{quote(run)}/tasks/" in alert for alert in airflow.alerts)
    assert airflow.views_by_date() == before


def ctrl_c_stops_tasks_too(airflow: Airflow) -> None:
    assert airflow.trigger("flyer_recompute", dates="yesterday").status_code == httpx.codes.BAD_REQUEST
    run = airflow.trigger("flyer_recompute", dates="2018-11-05/2018-11-06").raise_for_status().json()["dag_run_id"]
    lock = airflow.folder / f"{DATABASE}.lock"
    wait_for(lambda: "flyer_recompute in Airflow" in lock.read_text())
    task = airflow.get(f"dags/flyer_recompute/dagRuns/{run}/taskInstances/recompute_and_publish")
    assert task["rendered_fields"]["env"] == {"VARS": "{recompute_dates: '2018-11-05/2018-11-06'}"}
    airflow.process.send_signal(signal.SIGINT)
    assert airflow.process.wait() == 0
    with writer_lock("a test", wait_secs=0):
        pass


def test_tasks_on_redshift() -> None:
    """There is no published copy to write or to make pages from, and seeds are not built."""
    code = (
        "import flyer; print({dag.dag_id: {task.task_id: getattr(task, 'bash_command', '') for task in dag.tasks}"
        " for dag in vars(flyer).values() if isinstance(dag, flyer.DAG)})"
    )
    environment = os.environ | {"DBT_TARGET": "redshift", "FLYER_EVENTS": "stream"}
    printed = subprocess.run(
        [BIN / "python", "-W", "error", "-c", code],
        cwd=AIRFLOW / "dags",
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    dags = ast.literal_eval(printed.stdout.decode().splitlines()[-1])
    assert {dag: list(tasks) for dag, tasks in dags.items()} == {
        "flyer_build": ["build_and_publish", "load", "all_loaded_and_built"],
        "flyer_pages": ["documentation"],
        "flyer_export": ["export"],
        "flyer_recompute": ["recompute_and_publish"],
    }
    assert "run-operation load_stream" in dags["flyer_build"]["load"]
    for dag, task in (("flyer_build", "build_and_publish"), ("flyer_recompute", "recompute_and_publish")):
        assert "--exclude-resource-type seed unit_test" in dags[dag][task]
        assert "flyer_analytics.publish" not in dags[dag][task]
