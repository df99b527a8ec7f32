"""The runner's scripts and units: run with stubs for what is outside, in an environment that has nothing else."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from flyer_analytics.lock import acquire
from infrastructure.runner.build_metrics import REJECTED, metrics

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "infrastructure/runner"
LOAD = "python -m flyer_analytics.load s3://flyer/events/"
BUILD_ALL = "dbt build --exclude-resource-type seed unit_test"
BUILD = f"{BUILD_ALL} --indirect-selection cautious --exclude int_flyer_views,resource_type:test"
FRESHNESS = "dbt source freshness"
# Each command writes down how it was called. `statuses` has a line for each build that is to come.
PYTHON = """\
[ "$2" != flyer_analytics.load ] || { echo "python $*" >>calls; exit "$(cat load_status)"; }
exec PYTHON "$@"
"""
DBT = """\
echo "dbt $*" >>calls
[ "$1" != build ] || { status=$(head -1 statuses); sed -i 1d statuses; exit "${status:-0}"; }
"""
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
FIRST_SETTINGS = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "FLYER_ENVIRONMENT": "staging",
    "FLYER_REDSHIFT_HOST": "flyer-staging.1.eu-west-1.redshift-serverless.amazonaws.com",
    "FLYER_REDSHIFT_SECURITY_GROUP": "sg-1",
    "FLYER_BUCKET": "flyer-staging-1",
    "FLYER_S3_EVENTS": "",
    "FLYER_STREAM": "none",
    "FLYER_ALARM_TOPIC": "arn:aws:sns:eu-west-1:1:flyer-staging-alarms",
    "FLYER_BUILD_SCHEDULE": "*-*-* 06:30:00 UTC",
}


def stub(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


@dataclass
class Machine:
    """A folder with the project, whose commands are stubs."""

    project: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [f"{self.project}/infrastructure/runner/{command}", *arguments],
            env=self.environment | environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        file = self.project / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    @property
    def published(self) -> dict[str, float]:
        """The metrics by name."""
        (call,) = [call for call in self.calls if call.startswith("aws cloudwatch")]
        command, _, data = call.partition(" --metric-data ")
        assert command == "aws cloudwatch put-metric-data --namespace Flyer"
        for metric in json.loads(data):
            assert metric["Dimensions"] == [{"Name": "Environment", "Value": "staging"}]
        return {metric["MetricName"]: metric["Value"] for metric in json.loads(data)}


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port on which something listens, as Redshift does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def machine(tmp_path: Path, port: int) -> Machine:
    project = tmp_path / "project"
    shutil.copytree(RUNNER, project / "infrastructure/runner")
    (project / "flyer_analytics").symlink_to(ROOT / "flyer_analytics")
    (project / "target").mkdir()
    (project / "load_status").write_text("0", encoding="utf-8")
    (project / "statuses").touch()
    stub(project / ".venv/bin/python", PYTHON.replace("PYTHON", sys.executable))
    stub(project / ".venv/bin/dbt", DBT)
    stub(tmp_path / "bin/aws", f'echo "aws $*" >>{project}/calls')
    return Machine(
        project,
        {
            "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
            "DBT_TARGET": "redshift",
            "FLYER_ENVIRONMENT": "staging",
            "FLYER_REDSHIFT_HOST": "127.0.0.1",
            "FLYER_REDSHIFT_PORT": str(port),
            "FLYER_REDSHIFT_DATABASE": "flyer",
            "FLYER_REDSHIFT_SECURITY_GROUP": "sg-1",
            "FLYER_S3_EVENTS": "s3://flyer/events/",
            "FLYER_STREAM": "none",
            "FLYER_ALARM_TOPIC": "arn:aws:sns:eu-west-1:1:alarms",
            "FLYER_RETRY_SECS": "0",
        },
    )


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_builds_whatever_the_load_returned(machine: Machine, status: int) -> None:
    (machine.project / "load_status").write_text(str(status), encoding="utf-8")
    done = machine.run("flyer-build")
    assert done.returncode == status, done.stderr
    assert machine.calls[:3] == [LOAD, BUILD, FRESHNESS]
    assert machine.published == {"BuildSucceeded": 1}


def test_a_command_runs_as_the_builds_do(machine: Machine, tmp_path: Path) -> None:
    """As a unit of systemd, which goes on if the session ends."""
    stub(tmp_path / "bin/systemd-run", f'echo "systemd-run $*" >>{machine.project}/calls')
    done = machine.run("flyer-run", "dbt", "build", "--full-refresh")
    assert done.returncode == 0, done.stderr
    [call] = machine.calls
    options, _, command = call.partition(f" {machine.project}/.venv/bin/python -m ")
    assert {"--uid flyer", "--property EnvironmentFile=/etc/flyer-analytics.env"} <= {
        f"{option} {value}" for option, value in pairwise(options.split())
    }
    assert command == "flyer_analytics.lock --as flyer-run --wait 3600 -- dbt build --full-refresh"


def test_all_data_tests_run_by_request(machine: Machine) -> None:
    assert machine.run("flyer-build", FLYER_TEST_SCOPE="all").returncode == 0
    assert machine.calls[:3] == [LOAD, BUILD_ALL, FRESHNESS]


def test_a_build_of_which_a_data_test_fails_is_not_repeated(machine: Machine) -> None:
    """The second build would find nothing new, test nothing, and succeed."""
    (machine.project / "statuses").write_text("1\n", encoding="utf-8")
    results = json.dumps({"results": [{"unique_id": "test.flyer_analytics.a.1", "status": "fail", "failures": 2}]})
    dbt = machine.project / ".venv/bin/dbt"
    stub(dbt, f"echo '{results}' >target/run_results.json\n{DBT}")
    assert machine.run("flyer-build").returncode == 1
    assert machine.calls[:3] == [LOAD, BUILD, FRESHNESS]
    assert machine.published["BuildSucceeded"] == 0


@pytest.mark.parametrize(
    ("statuses", "load_status", "status"),
    [([1], 0, 0), ([1], 3, 3), ([1, 1], 0, 1), ([2, 1], 3, 1)],
    ids=["once", "once, and the load", "twice", "twice, and the load"],
)
def test_a_build_that_fails_is_repeated_once(
    machine: Machine, statuses: list[int], load_status: int, status: int
) -> None:
    (machine.project / "statuses").write_text("".join(f"{it}\n" for it in statuses), encoding="utf-8")
    (machine.project / "load_status").write_text(str(load_status), encoding="utf-8")
    done = machine.run("flyer-build")
    assert done.returncode == status
    assert machine.calls[:4] == [LOAD, BUILD, BUILD, FRESHNESS]
    assert machine.published == {"BuildSucceeded": len(statuses) == 1}


def test_without_a_connection_nothing_is_tried_and_the_security_group_is_named(machine: Machine) -> None:
    with socket.socket() as bound:  # but nothing listens
        bound.bind(("127.0.0.1", 0))
        done = machine.run("flyer-build", FLYER_REDSHIFT_PORT=str(bound.getsockname()[1]))
    assert done.returncode == 1
    assert "Does the security group of Redshift, sg-1, allow this port" in done.stderr
    assert machine.published == {"BuildSucceeded": 0}
    assert len(machine.calls) == 1


def test_never_two_builds_at_once(machine: Machine) -> None:
    lock = machine.project / "target/127.0.0.1-flyer.lock"
    descriptor = acquire(lock, "make load", wait_secs=0)
    done = machine.run("flyer-build", FLYER_LOCK_WAIT_SECS="0")
    os.close(descriptor)
    assert done.returncode == 1
    assert "in use by make load" in done.stderr
    assert not machine.calls


def test_the_build_holds_the_lock(machine: Machine) -> None:
    stub(machine.project / ".venv/bin/dbt", 'cat "$FLYER_LOCK_HELD" >>calls; flock --nonblock "$FLYER_LOCK_HELD" true')
    done = machine.run("flyer-build")
    assert done.returncode == 1
    assert "flyer-build (process " in machine.calls[1]


def test_loads_a_stream(machine: Machine) -> None:
    assert machine.run("flyer-build", FLYER_STREAM="kinesis").returncode == 0
    assert machine.calls[:3] == [LOAD, "dbt run-operation load_stream", BUILD]


def test_loads_a_stream_alone(machine: Machine) -> None:
    assert machine.run("flyer-build", FLYER_STREAM="kinesis", FLYER_S3_EVENTS="").returncode == 0
    assert machine.calls[:2] == ["dbt run-operation load_stream", BUILD]


def test_metrics_that_cannot_be_published_do_not_change_the_status(machine: Machine) -> None:
    (machine.project / "load_status").write_text("3", encoding="utf-8")
    done = machine.run("flyer-build", PATH="/usr/bin:/bin")
    assert done.returncode == 3
    assert "could not be published" in done.stderr


def test_files_of_an_earlier_build_are_not_published(machine: Machine) -> None:
    result = {"unique_id": REJECTED, "status": "warn", "failures": 1}
    (machine.project / "target/run_results.json").write_text(json.dumps({"results": [result]}), encoding="utf-8")
    assert machine.run("flyer-build").returncode == 0
    assert machine.published == {"BuildSucceeded": 1}


def write_results(target: Path) -> None:
    """Write what dbt says of a build that rejected all new rows, 26 hours after the last load."""
    run = [
        {"unique_id": "model.flyer_analytics.stg_flyer_app__events", "status": "success", "failures": None},
        {"unique_id": REJECTED, "status": "fail", "failures": 2},
    ]
    freshness = [
        {"unique_id": "source.flyer_analytics.raw.flyer_events", "max_loaded_at_time_ago_in_s": 93600},
        {"unique_id": "source.flyer_analytics.raw.other", "status": "runtime error", "error": "no rows"},
    ]
    (target / "run_results.json").write_text(json.dumps({"results": run}), encoding="utf-8")
    (target / "sources.json").write_text(json.dumps({"results": freshness}), encoding="utf-8")


def test_metrics_of_what_dbt_wrote(tmp_path: Path) -> None:
    write_results(tmp_path)
    assert metrics(1, tmp_path) == {"BuildSucceeded": 0, "ManyRowsRejected": 2, "SourceAgeHours": 26}


def test_a_skipped_test_has_no_metric(tmp_path: Path) -> None:
    run = [{"unique_id": REJECTED, "status": "skipped", "failures": None}]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": run}), encoding="utf-8")
    assert metrics(0, tmp_path) == {"BuildSucceeded": 1}


def test_the_test_of_rejected_rows_exists() -> None:
    assert [*ROOT.glob(f"tests/**/{REJECTED.rpartition('.')[2]}.sql")]


def test_an_alarm_says_what_failed(machine: Machine, tmp_path: Path) -> None:
    stub(tmp_path / "bin/systemctl", "echo 3")
    done = machine.run("flyer-alarm", "flyer-build.service")
    assert done.returncode == 0, done.stderr
    assert machine.calls[0].startswith(
        "aws sns publish --topic-arn arn:aws:sns:eu-west-1:1:alarms --subject flyer staging: flyer-build.service failed"
        " --message flyer-build.service ended with status 3 on "
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Machine:
    """A machine whose file system is a folder, with a checkout and without an environment."""
    project = tmp_path / "root/opt/flyer-analytics"
    shutil.copytree(RUNNER, project / "infrastructure/runner")
    (tmp_path / "root/etc/systemd/system").mkdir(parents=True)
    for name in ("dnf", "useradd", "chown"):
        stub(tmp_path / f"bin/{name}", f'echo "{name} $*" >>{project}/calls')
    stub(tmp_path / "bin/id", "exit 1")
    stub(
        tmp_path / "bin/systemctl",
        f'[ "$1" = is-active ] && cat {project}/state || echo "systemctl $*" >>{project}/calls',
    )
    stub(tmp_path / "bin/systemd-analyze", f'echo "systemd-analyze $*" >>{project}/calls')
    stub(
        tmp_path / "bin/make",
        f'echo "make $*" >>{project}/calls; mkdir -p .venv/bin; cp {tmp_path}/python .venv/bin',
    )
    stub(tmp_path / "python", f'exec {sys.executable} "$@"')
    # Gives files to users that are only on a real machine.
    stub(tmp_path / "bin/install", 'case "$2" in -o) shift 5; exec mkdir -p "$@" ;; esac; exec /usr/bin/install "$@"')
    (project / "state").write_text("inactive", encoding="utf-8")
    return Machine(project, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "DESTDIR": f"{tmp_path}/root"})


def test_install_makes_a_runner(fresh: Machine) -> None:
    done = fresh.run("install", **FIRST_SETTINGS)
    assert done.returncode == 0, done.stderr
    assert fresh.calls == [
        "dnf install --assumeyes --quiet awscli-2 make python3.11",
        "useradd --system --home-dir /var/lib/flyer-analytics --no-create-home --shell /sbin/nologin flyer",
        "make .venv/.build PYTHON=python3.11",
        "systemd-analyze calendar *-*-* 06:30:00 UTC",
        "systemctl daemon-reload",
        "systemctl enable --now flyer-build.timer",
    ]
    settings = settings_of(fresh)
    assert {name: settings.get(name) for name in FIRST_SETTINGS} == FIRST_SETTINGS | {"FLYER_BUCKET": None}
    assert settings["FLYER_S3_MANIFESTS"] == "s3://flyer-staging-1/manifests/"
    assert settings["DBT_TARGET"] == "redshift"
    require_units(fresh)


def settings_of(machine: Machine) -> dict[str, str]:
    """Return the settings as a shell reads them. A service reads them as they are written, apart from quotes."""
    file = machine.project.parents[1] / "etc/flyer-analytics.env"
    said = subprocess.run(
        ["/bin/bash", "-c", f"set -a; . {file}; env -0"], env={}, capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in said.strip("\0").split("\0"))


def require_units(machine: Machine) -> None:
    """Check that everything that the installed units name exists."""
    root = machine.project.parents[1]
    units = root / "etc/systemd/system"
    found = sorted(file.name for file in units.iterdir() if file.is_file())
    assert found == ["flyer-alarm@.service", "flyer-build.service", "flyer-build.timer", "flyer-loop.service"]
    for name in found:
        unit = ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(units / name)
        service = dict(unit["Service"]) if unit.has_section("Service") else {}
        paths = [service[key] for key in ("ExecStart", "EnvironmentFile", "WorkingDirectory") if key in service]
        for path in [*(path.split()[0] for path in paths), *service.get("ReadWritePaths", "").split()]:
            assert Path(f"{root}{path}").exists(), f"{name}: {path}"
        if failed := unit["Unit"].get("OnFailure"):
            assert failed == "flyer-alarm@%n.service"
    schedule = (units / "flyer-build.timer.d/schedule.conf").read_text(encoding="utf-8")
    assert schedule == "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 06:30:00 UTC\n"


@pytest.mark.skipif(not SYSTEMD_ANALYZE, reason="systemd is not installed")
def test_systemd_accepts_the_units(fresh: Machine) -> None:
    fresh.run("install", **FIRST_SETTINGS)
    root = fresh.project.parents[1]
    for target in ("sysinit", "basic", "shutdown", "network-online", "multi-user", "timers", "time-set", "time-sync"):
        (root / f"etc/systemd/system/{target}.target").write_text("[Unit]\nDefaultDependencies=no\n", encoding="utf-8")
    units = ("flyer-build.service", "flyer-build.timer", "flyer-loop.service", "flyer-alarm@flyer-build.service")
    verified = subprocess.run(
        [str(SYSTEMD_ANALYZE), "verify", "--man=no", f"--root={root}", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_second_install_keeps_the_settings_and_takes_a_changed_schedule(fresh: Machine) -> None:
    fresh.run("install", **FIRST_SETTINGS)
    file = fresh.project.parents[1] / "etc/flyer-analytics.env"
    changed = file.read_text(encoding="utf-8").replace("06:30:00", "07:00:00") + "FLYER_REDSHIFT_THREADS=8\n"
    file.write_text(changed, encoding="utf-8")
    assert fresh.run("install").returncode == 0
    assert file.read_text(encoding="utf-8") == changed
    schedule = file.parent / "systemd/system/flyer-build.timer.d/schedule.conf"
    assert "OnCalendar=*-*-* 07:00:00 UTC" in schedule.read_text(encoding="utf-8")


def test_a_first_install_names_the_variable_that_is_missing(fresh: Machine) -> None:
    done = fresh.run("install", **{name: value for name, value in FIRST_SETTINGS.items() if name != "FLYER_BUCKET"})
    assert done.returncode == 2
    assert "FLYER_BUCKET is not set" in done.stderr
    assert not fresh.calls


def test_no_install_while_a_build_runs(fresh: Machine) -> None:
    (fresh.project / "state").write_text("activating", encoding="utf-8")
    done = fresh.run("install", **FIRST_SETTINGS)
    assert done.returncode == 1
    assert "flyer-build is running" in done.stderr
    assert not fresh.calls
