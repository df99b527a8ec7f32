"""dbt in this process, for commands that call it several times: the project is parsed once."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg

from flyer_analytics.load.outcome import LoadError


class DbtError(LoadError):
    """A command of dbt failed. The message is dbt's own."""


class Dbt:
    """dbt with one target."""

    def __init__(self, target: str, manifest: Manifest | None = None) -> None:
        """Parse the project, unless its ``manifest`` is given. Raises DbtError."""
        self.target = target
        self.said: list[str] = []
        self.errors: list[str] = []
        self.manifest = manifest or self._parsed()
        self.runner = dbtRunner(manifest=self.manifest, callbacks=[self._hear])

    def invoke(self, *arguments: str) -> dbtRunnerResult:
        """Run a command. What dbt says of it is in ``said`` and ``errors``."""
        self.said.clear()
        self.errors.clear()
        with released():
            return self.runner.invoke(["--quiet", "--log-level", "none", *arguments, "--target", self.target])

    def reason(self, result: dbtRunnerResult) -> str:
        """Return why the last command failed, of which this is the result."""
        return "\n".join(self.errors) or str(result.exception)

    def operation(self, operation: str, /, **arguments: Any) -> list[str]:
        """Run an operation and return the messages that it logged. Raises DbtError."""
        result = self.invoke("run-operation", operation, "--args", json.dumps(arguments, ensure_ascii=False))
        if not result.success:
            raise DbtError(self.reason(result))
        return self.said

    def answer(self, operation: str, /, **arguments: Any) -> Any:
        """Run an operation and return the JSON that it logged last."""
        return json.loads(self.operation(operation, **arguments)[-1])

    def _parsed(self) -> Manifest:
        parsed = dbtRunner(callbacks=[self._hear]).invoke(
            ["--log-level", "none", "parse", "--write-json", "--target", self.target]
        )
        if isinstance(parsed.result, Manifest):
            return parsed.result
        raise DbtError(self.reason(parsed))

    def _hear(self, event: EventMsg) -> None:
        if event.info.name == "JinjaLogInfo":
            self.said.append(event.info.msg)  # type: ignore[attr-defined]
        elif event.info.level == "error":
            self.errors.append(event.info.msg)  # type: ignore[attr-defined]


@contextmanager
def released() -> Iterator[None]:
    """Let go of the database afterwards. dbt-duckdb keeps it open, so nothing else could open it."""
    try:
        yield
    finally:
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        gc.collect()
