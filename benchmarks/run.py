"""Measure this project and three rivals on the same generated events.

    python benchmarks/run.py --events 1000000 10000000

For each number of events: dbt's own start-up, the load beside a bare insert, from CSV and from Parquet, a full build,
one more day, and a run with nothing new; and on the same events without that day, a DuckDB script, a PySpark job and a
polars job, whose marts must be equal. Each step is a separate process, measured by its wall time and the peak memory of
its largest process, and becomes one line of results.jsonl in the work folder. From that file, report.py writes
docs/scaling.md and its chart.

This program imports no large packages: Linux counts the memory of a parent process towards its child's peak.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
BENCHMARKS = PROJECT / "benchmarks"
PYTHON = Path(sys.executable)
GENERATOR = PROJECT / "flyer_analytics" / "generate.py"
FIRST_DAY = date(2018, 11, 1)
RIVALS = ("duckdb", "spark", "polars")
PACKAGES = ("dbt-core", "dbt-duckdb", "duckdb", "pyspark", "polars")
NEEDED = {"duckdb": [], "spark": ["pyspark"], "polars": ["polars"]}
REPORT_NEEDS = ["altair", "vl_convert"]
SMALL = 1_000_000  # events; up to this size, one measurement is too short to be reliable


class BenchmarkError(Exception):
    """A step failed or something is missing. The message says what."""


@dataclass(frozen=True)
class Options:
    """What to run: numbers of events, days, rivals, repeats, and the folders for the data and the report."""

    events: list[int]
    days: int
    rivals: list[str]
    repeat: int | None
    work: Path
    out: Path


@dataclass(frozen=True)
class Events:
    """The generated events of one size: `history` of all days but the last, and the `last_day`."""

    nominal: int
    days: int
    folder: Path

    @property
    def history(self) -> Path:
        return self.folder / "history.parquet"

    @property
    def history_csv(self) -> Path:
        return self.folder / "history.csv"

    @property
    def last_day(self) -> Path:
        return self.folder / "last_day.parquet"

    @property
    def database(self) -> Path:
        return self.folder / "flyer_analytics.duckdb"

    @property
    def description(self) -> Path:
        return self.folder / "events.json"


@dataclass(frozen=True)
class Measurement:
    """Wall time in seconds, and the peak memory of the largest process in MB."""

    seconds: float
    peak_mb: float


# ---------- processes
def environment(events: Events) -> dict[str, str]:
    """Return the environment of a step, without variables that could make dbt use other files or databases."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLYER_", "DBT_", "SPARK_"))}
    spark = importlib.util.find_spec("pyspark")
    return kept | {
        "FLYER_DUCKDB_PATH": str(events.database),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(events.folder / "target"),
        "DBT_LOG_PATH": str(events.folder / "logs"),
        "PYSPARK_PYTHON": str(PYTHON),
        "SPARK_HOME": str(Path(spark.origin).parent) if spark and spark.origin else "",
        "SPARK_LOCAL_DIRS": str(events.folder / "spark"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def measure(command: Sequence[str | Path], events: Events) -> Measurement:
    """Run the command. Raises BenchmarkError, with the last lines of its output, if it fails."""
    log = events.folder / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), cwd=PROJECT, env=environment(events), stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise BenchmarkError(f"failed with status {process.returncode}: {' '.join(map(str, command))}\n{said}")
    unit = 1_000_000 if sys.platform == "darwin" else 1000  # bytes there, kilobytes elsewhere
    return Measurement(seconds, usage.ru_maxrss / unit)


def python(script: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command for a script in this folder."""
    return [PYTHON, BENCHMARKS / script, *arguments]


def dbt(*arguments: str) -> list[str | Path]:
    """Return the command for dbt in the environment of this program."""
    return [PYTHON.parent / "dbt", *arguments]


def load(file: Path) -> list[str | Path]:
    """Return the command that loads a file into the database of `environment`."""
    return [PYTHON, "-m", "flyer_analytics.load", file]


def insert(file: Path, database: Path) -> list[str | Path]:
    """Return the command that inserts a file into a new database."""
    return [PYTHON, "-m", "benchmarks.insert_job", file, database]


def spark_submit(events: Events, result: Path) -> list[str | Path]:
    """Return the command for the PySpark job. Its driver, which does all the work, gets half of the memory."""
    memory_gb = max(2, memory_bytes() // 2 // 2**30)
    submit = Path(environment(events)["SPARK_HOME"], "bin", "spark-submit")
    return [submit, "--driver-memory", f"{memory_gb}g", BENCHMARKS / "spark_job.py", events.history, result]


# ---------- events
def make_events(events: Events) -> int:
    """Generate the events, unless the current generator already has. Return the number of rows of the history."""
    generator = hashlib.sha256(GENERATOR.read_bytes()).hexdigest()
    if events.description.is_file():
        description = json.loads(events.description.read_text(encoding="utf-8"))
        if description.get("generator") == generator:
            return int(description["history"])
    say(f"  generating {events.nominal:,} events on {events.days} days, and one more day")
    remove(events.folder)
    events.folder.mkdir(parents=True)
    everything = events.folder / "events.parquet"
    rows = events.nominal * (events.days + 1) // events.days
    plan = ["--events", rows, "--days", events.days + 1, "--start", FIRST_DAY]
    measure([PYTHON, "-m", "flyer_analytics.generate", everything, *map(str, plan)], events)
    last = FIRST_DAY + timedelta(days=events.days)
    measure(python("split_last_day.py", everything, str(last), events.history, events.last_day), events)
    everything.unlink()
    description = json.loads((events.folder / "log.txt").read_text(encoding="utf-8")) | {"generator": generator}
    events.description.write_text(json.dumps(description), encoding="utf-8")
    return int(description["history"])


def write_csv(events: Events) -> None:
    """Write the history as CSV."""
    copy = f"copy (from '{events.history}') to '{events.history_csv}'"
    measure([PYTHON, "-c", f"import duckdb; duckdb.execute({copy!r})"], events)
    os.sync()  # so that the next step does not share the disk with it


# ---------- steps
def measure_size(events: Events, rivals: list[str], repeat: int, record: Callable[..., None]) -> None:
    """Measure every step `repeat` times, each time from an empty database."""
    rows = make_events(events)
    measure(dbt("parse"), events)  # so that no step has to parse the project
    for attempt in range(1, repeat + 1):
        remove_database(events)

        def step(name: str, command: list[str | Path], writes: Path, attempt: int = attempt) -> None:
            measured = measure(command, events)
            if name in RIVALS:
                measure(python("check.py", events.database, writes), events)
            record(events=events.nominal, rows=rows, attempt=attempt, step=name, measured=measured, writes=writes)

        step("start-up", dbt("run", "--exclude", "*"), events.database)
        write_csv(events)
        for name, command in (
            ("read_csv", insert(events.history_csv, events.database)),
            ("load csv", load(events.history_csv)),
            ("insert", insert(events.history, events.database)),
            ("load", load(events.history)),  # last, since the build needs its result
        ):
            remove_database(events)
            step(name, command, events.database)
        remove(events.history_csv)
        step("build", dbt("run"), events.database)
        for rival in rivals:
            result = events.folder / ("duckdb-marts.duckdb" if rival == "duckdb" else f"{rival}-marts")
            remove(result)
            step(rival, rival_command(rival, events, result), result)
        step("load a day", load(events.last_day), events.database)
        step("build a day", dbt("run"), events.database)
        step("no-op", dbt("run"), events.database)


def rival_command(rival: str, events: Events, result: Path) -> list[str | Path]:
    """Return the command that writes a rival's marts to `result`."""
    if rival == "spark":
        return spark_submit(events, result)
    return python(f"{rival}_job.py", events.database if rival == "duckdb" else events.history, result)


def recorder(results: Path) -> Callable[..., None]:
    """Return a function that appends a record to the file `results` and prints it. All records share `started`."""
    shared = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": machine(),
    }

    def record(*, events: int, rows: int, attempt: int, step: str, measured: Measurement, writes: Path) -> None:
        line = {
            "events": events,
            "rows": rows,
            "step": step,
            "attempt": attempt,
            "seconds": round(measured.seconds, 3),
            "peak_mb": round(measured.peak_mb, 1),
            "database_mb": round(size_bytes(writes) / 1_000_000, 1),
        }
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | shared) + "\n")
        say(
            f"  {step:<12} {line['seconds']:9.1f} s"
            f" {line['peak_mb']:9,.0f} MB peak {line['database_mb']:9,.0f} MB on disk"
        )

    return record


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_database(events: Events) -> None:
    """Remove the database, and what a killed process left of it."""
    for file in (events.database, events.database.with_suffix(".duckdb.wal")):
        remove(file)


def size_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder, in bytes; 0 if it does not exist."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


# ---------- machine and versions
def memory_bytes() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def machine() -> dict[str, str | int]:
    """Return the processor, cores, memory in GB and system of this machine."""
    models = [platform.processor() or platform.machine()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")] or models
    return {
        "processor": models[0],
        "cores": os.cpu_count() or 1,
        "memory_gb": round(memory_bytes() / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def java() -> str | None:
    """Return the path of the Java that PySpark will use, None if there is none."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home, "bin", "java")) if home else "java")


def versions() -> dict[str, str]:
    """Return the versions of Python, Java and the measured packages, if installed."""
    found = {"Python": platform.python_version()}
    if path := java():
        said = subprocess.run([path, "-version"], check=False, capture_output=True, text=True).stderr
        found["Java"] = said.split('"')[1] if '"' in said else "unknown"
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def require_tools(rivals: list[str]) -> None:
    """Raise BenchmarkError if a package, Java or dbt is missing."""
    packages = REPORT_NEEDS + [package for rival in rivals for package in NEEDED[rival]]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise BenchmarkError(f"{PYTHON} lacks {', '.join(missing)}. `make bench` installs them")
    if not (PYTHON.parent / "dbt").is_file():
        raise BenchmarkError(f"dbt is not installed beside {PYTHON}: run `make bench`, or use the Python of .venv")
    if "spark" in rivals and java() is None:
        raise BenchmarkError(
            "PySpark needs Java 17 or later on the PATH or in JAVA_HOME: install it, or leave out PySpark with"
            " --only duckdb polars"
        )


def require_report(out: Path) -> None:
    """Raise BenchmarkError if the report cannot be inserted into scaling.md."""
    page = out / "scaling.md"
    markers = [f"<!-- benchmark: {edge} -->" for edge in ("begin", "end")]
    if not page.is_file() or any(marker not in page.read_text(encoding="utf-8") for marker in markers):
        raise BenchmarkError(f"{page} must exist and contain the lines {' and '.join(markers)}, around the figures")


# ---------- command line
def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`, which raises ArgumentTypeError for others."""

    def read(text: str) -> int:
        digits = text.replace("_", "")
        if not digits.isdecimal() or not low <= int(digits) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low:,} to {high:,}")
        return int(digits)

    return read


def read_options(arguments: Sequence[str] | None) -> Options:
    """Return the options. Raises SystemExit for invalid arguments."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/run.py", description="Measure this project and three rivals.", allow_abbrev=False
    )
    parser.add_argument(
        "--events",
        nargs="+",
        metavar="N",
        required=True,
        type=whole_number(10_000, 10**9),
        help="numbers of events, one or more",
    )
    parser.add_argument(
        "--days",
        metavar="N",
        type=whole_number(2, 1000),
        default=100,
        help="number of days of the events, without the last day (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        nargs="*",
        choices=RIVALS,
        default=list(RIVALS),
        help="rivals to measure; none if empty (default: all)",
        dest="rivals",
    )
    parser.add_argument(
        "--repeat",
        metavar="N",
        type=whole_number(1, 20),
        help=f"repeats, of which the fastest counts (default: 3 up to {SMALL:,} events, else 1)",
    )
    parser.add_argument(
        "--work",
        metavar="FOLDER",
        type=Path,
        default=PROJECT / "target" / "bench",
        help="folder for events, databases and results.jsonl (default: target/bench)",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=PROJECT / "docs",
        help="folder of scaling.md and its chart (default: docs)",
    )
    given = vars(parser.parse_args(arguments))
    return Options(**given | {"work": given["work"].resolve(), "out": given["out"].resolve()})


def say(line: str) -> None:
    """Print a line of progress immediately."""
    print(line, flush=True)


def run(options: Options) -> None:
    """Measure all sizes and write the report. Raises BenchmarkError if something is missing or fails."""
    require_tools(options.rivals)
    require_report(options.out)
    options.work.mkdir(parents=True, exist_ok=True)
    results = options.work / "results.jsonl"
    record = recorder(results)
    for number in sorted(set(options.events)):
        say(f"{number:,} events")
        events = Events(number, options.days, options.work / f"{number}-events-{options.days}-days")
        measure_size(events, options.rivals, options.repeat or (3 if number <= SMALL else 1), record)
    command = python("report.py", results, options.out)
    if subprocess.run(list(map(str, command)), check=False).returncode:
        raise BenchmarkError(f"the figures are in {results}, but the report could not be written")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, or 1 if a step failed."""
    options = read_options(arguments)
    try:
        run(options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
