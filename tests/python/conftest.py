"""dbt in this process, each test on a database of its own.

Parsing the project takes seconds, running it less than one: the project is parsed once a session and the manifest
handed to every run. It names the database by the stem of its file, so that all of them are flyer_analytics.duckdb.
"""

import gc
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg
from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).parents[2]
DATABASE = "flyer_analytics.duckdb"
REFERENCE_DAY = PROJECT.parent / "shared" / "data" / "flyer_events_2018-10-01.csv"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--draws", type=int, default=2, help="how many draws of loads to compare with a full refresh")
    parser.addoption("--first-seed", type=int, default=1, help="seed of the first draw")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "drawn_seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--first-seed")
        metafunc.parametrize("drawn_seed", range(first, first + metafunc.config.getoption("--draws")))


def pytest_report_header() -> str:
    return f"duckdb: {duckdb.__version__}"


@dataclass
class Project:
    """The project on one database; ``messages`` holds what the last dbt command said."""

    manifest: Manifest
    folder: Path
    messages: list[str] = field(default_factory=list)
    is_held: bool = False

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    def try_dbt(self, *arguments: str, callbacks: Sequence[Callable[[EventMsg], None]] = ()) -> dbtRunnerResult:
        self.messages = []
        self.is_held = True
        runner = dbtRunner(manifest=self.manifest, callbacks=[self._hear, *callbacks])
        return runner.invoke(["--quiet", *arguments])

    def dbt(self, *arguments: str) -> dbtRunnerResult:
        result = self.try_dbt(*arguments)
        assert result.success, f"dbt {' '.join(arguments)}\n" + "\n".join(self.messages)
        return result

    def load(self, path: Path | str) -> str:
        """Load ``path`` and return what was said of it."""
        assert self._try_load(path).success, "\n".join(self.messages)
        return "\n".join(self.messages)

    def load_fails(self, path: Path | str) -> str:
        """Try to load ``path``, expect an error and return what it says."""
        assert not self._try_load(path).success, "\n".join(self.messages)
        return "\n".join(self.messages)

    def _try_load(self, path: Path | str) -> dbtRunnerResult:
        return self.try_dbt("run-operation", "load_events", "--args", f'{{path: "{path}"}}')

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

    def disconnect(self) -> None:
        """Let go of the database, which dbt holds open for the next command in this process."""
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        gc.collect()
        self.is_held = False

    def _hear(self, event: EventMsg) -> None:
        if event.info.level in ("info", "warn", "error"):
            self.messages.append(event.info.msg)  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def dbt_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What dbt writes goes to a folder of the session's, and nothing is taken from the caller's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DBT_", "FLYER_REDSHIFT"))]:
            patch.delenv(name)
        scratch = tmp_path_factory.mktemp("dbt")
        patch.setenv("DBT_TARGET_PATH", str(scratch / "target"))
        patch.setenv("DBT_LOG_PATH", str(scratch / "logs"))
        patch.setenv("FLYER_DUCKDB_PATH", str(scratch / DATABASE))
        patch.chdir(PROJECT)
        yield


@pytest.fixture(scope="session")
def manifest(dbt_environment: None) -> Manifest:  # noqa: ARG001
    result = dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse"])
    assert result.success, result.exception
    assert isinstance(result.result, Manifest)
    return result.result


@pytest.fixture
def project(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / DATABASE))
    return Project(manifest, tmp_path)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is not installed: make browser"
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium. Not for a whole session: while it is there, nothing else in the process can run an event loop."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def reference_day() -> Path:
    """A real day of events, which is not published with the project."""
    path = Path(os.environ.get("FLYER_REFERENCE_CSV", REFERENCE_DAY))
    if not path.exists():
        pytest.skip(f"the reference day is not at {path}; FLYER_REFERENCE_CSV can name another place")
    return path
