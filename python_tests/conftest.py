"""dbt in this process, each test on a database of its own.

Parsing the project takes longer than running it: one of pytest's processes parses it, and every run in all of them gets
that manifest. It names the database by the stem of its file, so that all of them are flyer_analytics.duckdb.
"""

import fcntl
import gc
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest
import redshift_connector
import sqlparse
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg
from playwright.sync_api import Browser, sync_playwright

from flyer_analytics.load import disk
from flyer_analytics.load.outcome import FAILED, LOADED, LoadError
from python_tests.quick_dbt import make_dbt_quick
from tools.chromium import chromium as find_chromium
from tools.redshift_standin.standin import Standin

Parse = Callable[..., Manifest]

PROJECT = Path(__file__).parents[1]
DATABASE = "flyer_analytics.duckdb"
REDSHIFT_DATABASE = "flyer"
SEEDED_DATABASE = "flyer_seeded"
REFERENCE_DAY = PROJECT.parent / "shared" / "data" / "flyer_events_2018-10-01.csv"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--draws", type=int, default=7, help="how many draws of loads to compare with a full refresh")
    parser.addoption("--first-seed", type=int, default=1, help="seed of the first draw")
    parser.addoption("--kills", type=int, default=10, help="how often to kill the lander")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "drawn_seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--first-seed")
        metafunc.parametrize("drawn_seed", range(first, first + metafunc.config.getoption("--draws")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest tests first, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in ("test_airflow.py", "test_increments.py", "test_same_rows.py"))


def pytest_report_header() -> str:
    return f"duckdb: {duckdb.__version__}"


@dataclass
class Project:
    """The project on one database of DuckDB; ``messages`` holds what the last dbt command said."""

    target: ClassVar[str] = "duckdb"
    manifest: Manifest
    folder: Path
    messages: list[str] = field(default_factory=list)
    is_held: bool = False
    threads: int = 1  # in one process more of them wait for one another, and a run takes a fifth longer

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    def try_dbt(self, *arguments: str, callbacks: Sequence[Callable[[EventMsg], None]] = ()) -> dbtRunnerResult:
        self.messages = []
        self.is_held = True
        runner = dbtRunner(manifest=self.manifest, callbacks=[self._hear, *callbacks])
        return runner.invoke(
            ["--quiet", "--log-level", "none", *arguments, "--target", self.target, "--threads", str(self.threads)]
        )

    def dbt(self, *arguments: str) -> dbtRunnerResult:
        result = self.try_dbt(*arguments)
        assert result.success, f"dbt {' '.join(arguments)}\n" + "\n".join(self.messages)
        return result

    def load(self, path: Path | str, status: int = LOADED) -> str:
        """Load ``path``, expect a status, and return what was said of it."""
        if self.is_held:
            self.disconnect()
        self.messages = []
        try:
            outcome = disk.load(str(path), self.database, self.messages.append)
        except LoadError as error:
            assert status == FAILED, error
            return "\n".join([*self.messages, str(error)])
        said = "\n".join([*self.messages, *outcome.warnings(), str(outcome)])
        assert outcome.status == status, said
        return said

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the database, which dbt may hold open under other options."""
        if self.is_held:
            self.disconnect()
        return duckdb.connect(str(self.database))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def rows(self, relation: str) -> list[dict[str, Any]]:
        with self.connect() as connection:
            found = connection.sql(f"from {relation}")
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def tables(self, *relations: str) -> dict[str, Counter[tuple[Any, ...]]]:
        with self.connect() as connection:
            return {name: Counter(connection.execute(f"from {name}").fetchall()) for name in relations}

    def types(self, schema: str) -> dict[str, str]:
        """The type of each column of each relation in ``schema``, in words of both engines."""
        return {
            f"{table}.{column}": kind.lower().replace("decimal", "numeric").replace("varchar", "text")
            for table, column, kind in self.query(
                f"select table_name, column_name, data_type from duckdb_columns() where schema_name = '{schema}'"
            )
        }

    def start_over(self) -> None:
        """Go on with a database whose raw tables are empty."""
        self.disconnect()
        self.database.unlink(missing_ok=True)
        self.dbt("run", "--select", "base_flyer_app__events")

    def insert_raw(self, file: Path) -> None:
        """Fill ``raw.flyer_events`` from a CSV file of its columns without a header; what is empty is null."""
        self.query(f"copy raw.flyer_events from '{file}' (format csv, header false)")

    def disconnect(self) -> None:
        """Let go of the database, which dbt holds open for the next command in this process."""
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        gc.collect()
        self.is_held = False

    def _hear(self, event: EventMsg) -> None:
        if event.info.level in ("info", "warn", "error"):
            self.messages.append(event.info.msg)  # type: ignore[attr-defined]


@dataclass
class RedshiftProject(Project):
    """The project on the stand-in for Redshift, in database ``flyer``."""

    target = "redshift"
    standin: Standin = field(kw_only=True)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What PostgreSQL answers to its own SQL."""
        with closing(self.standin.connect(REDSHIFT_DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def rows(self, relation: str) -> list[dict[str, Any]]:
        with closing(self.standin.connect(REDSHIFT_DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(f"select * from {relation}")
            assert cursor.description
            return [dict(zip([column.name for column in cursor.description], row, strict=True)) for row in cursor]

    def tables(self, *relations: str) -> dict[str, Counter[tuple[Any, ...]]]:
        return {name: Counter(self.query(f"select * from {name}")) for name in relations}

    def types(self, schema: str) -> dict[str, str]:
        return {
            name: re.sub("character varying([(][0-9]+[)])?", "text", kind).removesuffix(" without time zone")
            for name, kind in self.query(
                "select relname || '.' || attname, format_type(atttypid, atttypmod)"
                " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
                f" where relnamespace = '{schema}'::regnamespace and attnum > 0 and relkind in ('r', 'v')"
            )
        }

    def start_over(self) -> None:
        """Go on with a database of the seeds and empty raw tables."""
        self.standin.drop_database(REDSHIFT_DATABASE)
        self.standin.create_database(REDSHIFT_DATABASE, SEEDED_DATABASE)

    def insert_raw(self, file: Path) -> None:
        with (
            closing(self.standin.connect(REDSHIFT_DATABASE)) as connection,
            connection.cursor() as cursor,
            file.open() as rows,
        ):
            cursor.copy_expert("copy raw.flyer_events from stdin with (format csv)", rows)

    def disconnect(self) -> None:
        """Nothing is held: dbt closes its connections."""


@pytest.fixture(scope="session", autouse=True)
def dbt_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What dbt writes goes to a folder of the session's, and nothing is taken from the caller's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DBT_", "FLYER_REDSHIFT"))]:
            patch.delenv(name)
        scratch = tmp_path_factory.mktemp("dbt")
        patch.setenv("DBT_TARGET_PATH", str(scratch / "target"))
        patch.setenv("DBT_LOG_PATH", str(scratch / "logs"))
        # Nobody reads them, and they take a third of each run.
        patch.setenv("DBT_LOG_LEVEL_FILE", "none")
        patch.setenv("DBT_WRITE_JSON", "false")
        patch.setenv("FLYER_DUCKDB_PATH", str(scratch / DATABASE))
        make_dbt_quick(patch)
        patch.chdir(PROJECT)
        yield


@pytest.fixture(scope="session")
def parse(dbt_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parse]:  # noqa: ARG001
    """Parse the project for a target, or read what another of pytest's processes has parsed in the same environment."""
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent

    def parse(target: str, name: str | None = None) -> Manifest:
        folder = session / f"parsed_{name or target}"
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
            fcntl.flock(lock, fcntl.LOCK_EX)
            patch.setenv("FLYER_DUCKDB_PATH", DATABASE)
            options = ["--target", target, "--target-path", str(folder)]
            parsed = dbtRunner().invoke(["--quiet", "--warn-error", "parse", *options])
        assert isinstance(parsed.result, Manifest), parsed.exception
        # The collector would read all of it again and again.
        gc.freeze()
        return parsed.result

    yield parse
    gc.unfreeze()


@pytest.fixture(scope="session")
def manifest(parse: Parse) -> Manifest:
    parsed = parse("duckdb")
    # Publishing reads it from a file.
    parsed.write(str(Path(os.environ["DBT_TARGET_PATH"]) / "manifest.json"))  # type: ignore[no-untyped-call]
    return parsed


@pytest.fixture
def project(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / DATABASE))
    return Project(manifest, tmp_path)


@pytest.fixture(scope="session")
def sample_database(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(manifest, tmp_path_factory.mktemp("sample"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        project.dbt("run")
    project.disconnect()
    return project.database


@pytest.fixture
def built_sample(project: Project, sample_database: Path) -> None:
    """All models are built from the sample in the project's database."""
    shutil.copy(sample_database, project.database)


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt writes its files about each run, as it does by default."""
    monkeypatch.setenv("DBT_WRITE_JSON", "true")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    return find_chromium()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium. Not for a whole session: while it is there, nothing else in the process can run an event loop."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def standin() -> Iterator[Standin]:
    """One stand-in for Redshift a worker, in which every test may have databases."""
    with Standin() as started:
        yield started


@pytest.fixture(scope="session")
def seeded_standin(standin: Standin, parse: Parse) -> Iterator[tuple[Standin, Manifest]]:
    """The stand-in as production's target names it, its certificate trusted, with a database that holds the seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca))
        patch.setenv("FLYER_REDSHIFT_HOST", standin.host)
        patch.setenv("FLYER_REDSHIFT_DATABASE", REDSHIFT_DATABASE)
        patch.setenv("FLYER_REDSHIFT_USER", standin.user)
        patch.setenv("FLYER_REDSHIFT_PASSWORD", "any")
        manifest = parse("redshift")
        # dbt would call it for each cell of the sample.
        manifest.macros["macro.dbt.get_binding_char"].macro_sql = "{% macro get_binding_char() %}%s{% endmacro %}"
        patch.setenv("FLYER_REDSHIFT_PORT", str(standin.port))
        # The driver would look for the name of the application through the whole stack, for each connection.
        patch.setattr(redshift_connector, "connect", partial(redshift_connector.connect, application_name="dbt"))
        # dbt has each statement taken apart, to find those that are several.
        split = sqlparse.split
        patch.setattr(sqlparse, "split", lambda sql: split(sql) if ";" in sql.rstrip("; \n") else [sql])
        standin.create_database(REDSHIFT_DATABASE)
        seeded = dbtRunner(manifest=manifest).invoke(["--quiet", "seed", "--target", "redshift"])
        assert seeded.success, seeded.exception
        standin.create_database(SEEDED_DATABASE, REDSHIFT_DATABASE)
        yield standin, manifest


@pytest.fixture
def redshift(seeded_standin: tuple[Standin, Manifest], tmp_path: Path) -> RedshiftProject:
    standin, manifest = seeded_standin
    project = RedshiftProject(manifest, tmp_path, standin=standin)
    project.start_over()
    return project


@pytest.fixture(scope="session")
def reference_day() -> Path:
    """A real day of events, which is not published with the project."""
    path = Path(os.environ.get("FLYER_REFERENCE_CSV", REFERENCE_DAY))
    if not path.exists():
        pytest.skip(f"the reference day is not at {path}; FLYER_REFERENCE_CSV can name another place")
    return path
