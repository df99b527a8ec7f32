"""The whole pipeline on this machine, as `make stream` runs it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flyer_analytics.stream.__main__ import main
from python_tests.conftest import PROJECT
from python_tests.stream.apache_kafka import ApacheKafka

LIMIT_SECS = 240
ALL_IS_WELL = re.compile(
    r"sent (?P<sent>\d+), published (?P=sent), missing 0, doubled 0, p50 [\d.]+ s, p95 [\d.]+ s, max [\d.]+ s"
)


def run_pipeline(
    folder: Path, *options: str, on_line: Callable[[subprocess.Popen[str], str], None] | None = None, **environment: str
) -> tuple[int, list[str]]:
    """Run the pipeline, and return its exit status and what it said. ``on_line`` hears each line at once."""
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", "flyer_analytics.stream", f"--folder={folder}", *options],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pipeline:
        assert pipeline.stdout
        limit = threading.Timer(LIMIT_SECS, pipeline.terminate)  # which then publishes what there is, and reports
        limit.start()
        for line in pipeline.stdout:
            lines.append(line.rstrip("\n"))
            if on_line:
                on_line(pipeline, line)
        limit.cancel()
    return pipeline.returncode, lines


def test_ctrl_c_ends_it_once_every_event_is_published(tmp_path: Path) -> None:
    def interrupt(pipeline: subprocess.Popen[str], line: str) -> None:
        if "published: newest" in line:
            pipeline.send_signal(signal.SIGINT)

    status, lines = run_pipeline(tmp_path / "run", "--rate=100", "--history=2000", on_line=interrupt)
    assert status == 0, "\n".join(lines)
    found = ALL_IS_WELL.fullmatch(lines[-1])
    assert found, lines[-1]
    assert int(found["sent"]) > 100


def test_nothing_is_lost_or_doubled_while_apache_kafka_and_all_parts_are_killed(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    def kill_kafka_at_times(_pipeline: subprocess.Popen[str], line: str) -> None:
        if re.search(r" (2|5) of 8: ", line):
            apache_kafka.kill()
            apache_kafka.start()

    status, lines = run_pipeline(
        tmp_path / "run",
        *("--rate=100", "--seconds=20", "--kills=8", "--stop=2"),
        on_line=kill_kafka_at_times,
        FLYER_KAFKA=apache_kafka.bootstrap,
    )
    assert status == 0, "\n".join(lines)
    assert ALL_IS_WELL.fullmatch(lines[-1]), lines[-1]


@pytest.mark.parametrize("options", [["--kills=3"], ["--rate=0"], ["--rate=nan"], ["--speed=-1"], ["--history=-1"]])
def test_options_that_make_no_sense_are_refused(options: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(options)
    assert refused.value.code == 2
    assert options[0].split("=")[0] in capfd.readouterr().err


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    status, lines = run_pipeline(tmp_path)
    assert status == 1
    assert "is not empty" in lines[-1]
    assert (tmp_path / "precious").exists()
