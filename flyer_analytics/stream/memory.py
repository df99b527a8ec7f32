"""What the loop must know again after a restart, in a JSON file beside the lock of the database.

Which data tests have read all rows, when, and with what result: each cycle tests the rows that it has written, and now
and then every test reads all rows, a few tests at a time so that no cycle waits long for them. A restart repeats none
of them and forgets no failure. And which objects of the lake could not be loaded.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dbt.artifacts.resources.types import NodeType
from dbt.contracts.graph.manifest import Manifest

FULL_TESTS_SECS = 3600.0  # a test reads all rows so often, if anything was built since
BUDGET_SECS = 5.0  # of tests at a time, by how long they took the last time


@dataclass(frozen=True)
class Run:
    """The last time that a test has read all rows."""

    at: float
    """Seconds since 1970."""
    secs: float
    passed: bool


@dataclass
class Memory:
    """What is known of one database."""

    file: Path
    tests: list[str]
    """Names of the project's data tests."""
    subject: str
    """The version of the project. After a change no run is known."""
    runs: dict[str, Run] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Objects of the lake that could not be loaded, and those that are being loaded."""

    @classmethod
    def of(cls, manifest: Manifest, file: Path, *, is_new: bool = False) -> "Memory":
        """Return what ``file`` says of the tests of the ``manifest``, which is nothing if the database ``is_new``."""
        sources = sorted(f"{key} {source.checksum.checksum}" for key, source in manifest.files.items())
        tests = [node.name for node in manifest.nodes.values() if node.resource_type == NodeType.Test]
        memory = cls(file, tests, hashlib.sha256("\n".join(sources).encode()).hexdigest())
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            memory.refused = [str(name) for name in known["refused"]]
            if known["subject"] == memory.subject and not is_new:
                memory.runs = {name: Run(**run) for name, run in known["runs"].items() if name in tests}
        except (OSError, ValueError, LookupError, TypeError):
            pass  # nothing is known, so all tests run
        return memory

    def save(self) -> None:
        """Write the file. Raises OSError."""
        known = {key: value for key, value in asdict(self).items() if key in ("subject", "runs", "refused")}
        written = self.file.with_name(f"{self.file.name}.new")
        written.write_text(json.dumps(known), encoding="utf-8")
        os.replace(written, self.file)  # noqa: PTH105

    def doubt(self, names: Iterable[str]) -> None:
        """Note which objects may not be loaded. Raises OSError."""
        self.refused = sorted(names)
        self.save()

    def record(self, results: Iterable[tuple[str, float, bool]]) -> None:
        """Note tests that have read all rows: name, seconds, whether they passed. Raises OSError."""
        now = time.time()
        self.runs |= {name: Run(now, secs, passed) for name, secs, passed in results}
        self.save()

    @property
    def has_unknown(self) -> bool:
        """Whether a test has never read all rows."""
        return not self.runs.keys() >= {*self.tests}

    @property
    def failing(self) -> list[str]:
        """The tests that failed the last time."""
        return [name for name, run in self.runs.items() if not run.passed]

    def due(self, built_at: float) -> list[str]:
        """Return the tests to run next, those first whose last run is the longest ago.

        ``built_at``: when rows were last built, in seconds since 1970. What has not changed since is not tested again.
        """
        before = min(built_at, time.time() - FULL_TESTS_SECS)
        chosen: list[str] = []
        secs = 0.0
        for name, run in sorted(self.runs.items(), key=lambda item: item[1].at):
            secs += run.secs
            if run.at >= before or (chosen and secs > BUDGET_SECS):
                break
            chosen.append(name)
        return chosen
