"""Airflow on this machine, to see the DAGs run: ``make airflow``. Ctrl-C stops it, with the tasks that run.

All that Airflow writes is in AIRFLOW_HOME, by default target/airflow in the project. Its page is on PORT, by default
8080. These settings are for one person on one machine; README.md has those of production.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

HERE = Path(__file__).resolve().parent
AIRFLOW = str(Path(sys.executable).with_name("airflow"))
PREPARATIONS = (["db", "migrate"], ["pools", "set", "flyer_database", "1", "Tasks that open the database"])
PARTS = (["scheduler", "--skip-serve-logs"], ["dag-processor"], ["api-server"])
STOP_SECS = 5


def settings(home: Path, port: int) -> dict[str, str]:
    """Return the environment variables of an Airflow that only this machine can reach, with a database in ``home``."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def is_free(port: int) -> bool:
    """Return whether nothing listens on the port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def is_healthy(port: int) -> bool:
    """Return whether the page, the scheduler and the DAG processor are up."""
    try:
        health = httpx.get(f"http://127.0.0.1:{port}/api/v2/monitor/health").raise_for_status().json()
    except httpx.HTTPError:
        return False
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def password(home: Path) -> str:
    """Return the password of user admin, which Airflow has drawn."""
    drawn = json.loads((home / "simple_auth_manager_passwords.json.generated").read_text(encoding="utf-8"))
    return str(drawn["admin"])


def serve(home: Path, port: int) -> int:
    """Run Airflow until one of its parts ends, or until interrupted. Returns an exit status."""
    log = home / "airflow.log"
    parts: list[psutil.Popen] = []
    try:
        with log.open("w") as output:
            for part in PARTS:
                # In a session of its own, which Ctrl-C does not reach: stop() ends the parts.
                started = psutil.Popen([AIRFLOW, *part], stdout=output, stderr=output, start_new_session=True)
                parts.append(started)
        while not (is_up := is_healthy(port)) and all(part.poll() is None for part in parts):
            time.sleep(0.2)
        if is_up:
            print(f"Airflow: http://localhost:{port}, user admin, password {password(home)}")
            print("Ctrl-C stops it. Start flyer_build there: pages and exports follow by themselves.", flush=True)
        while all(part.poll() is None for part in parts):
            time.sleep(0.2)
        print(f"Airflow has stopped: {log} says why", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopping Airflow", flush=True)
        return 0
    finally:
        stop(parts)
    return 1


def stop(parts: list[psutil.Popen]) -> None:
    """End the processes and all that they have started. Commands of tasks have sessions of their own."""
    everything = [child for part in parts if part.is_running() for child in part.children(recursive=True)] + parts
    for process in everything:
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            process.terminate()
    still_there = psutil.wait_procs(everything, timeout=STOP_SECS)[1]
    for process in still_there:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(still_there)


def main() -> int:
    """Prepare Airflow's database, then run Airflow. Returns an exit status."""
    for interruption in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interruption, signal.default_int_handler)
    port = int(os.environ.get("PORT") or 8080)
    if not is_free(port):
        print(f"Port {port} is in use. Name another one: make airflow PORT=8081", file=sys.stderr)
        return 1
    home = Path(os.environ.get("AIRFLOW_HOME") or HERE.parents[1] / "target" / "airflow").resolve()
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(settings(home, port))
    for preparation in PREPARATIONS:
        done = subprocess.run([AIRFLOW, *preparation], capture_output=True, text=True)
        if done.returncode:
            print(f"airflow {' '.join(preparation)}\n{done.stdout}{done.stderr}", file=sys.stderr)
            return 1
    return serve(home, port)


if __name__ == "__main__":
    sys.exit(main())
