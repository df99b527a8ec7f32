"""Loads of which many rows are rejected: builds warn or fail, good marts stay, and commands say what is wrong."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.contracts.graph.nodes import ModelNode

from flyer_analytics import publish, summary
from flyer_analytics.pages import __main__ as pages
from flyer_analytics.rejections import why_nothing_is_usable
from python_tests.conftest import Project
from python_tests.test_increments import Delivery, Loads

TEST = "assert_few_rows_are_rejected"
# Without the other tests a build takes no longer than a run.
BUILD = ("build", "--indirect-selection", "empty", "--exclude-resource-type", "seed", "--select", TEST)
MARTS = ("user_daily_avg_flyer_time", "merchant_flyer_engagement", "merchant_flyer_daily", "merchant_hourly")
VIEWS = {"int_flyer_users", "int_flyer_actions"}  # of staging tables
WARNING = "Warning: more than a tenth of the rows of a load cannot be used:"
ERROR = "None of the rows loaded since the last complete build can be used. No model after staging was built:"


ROW = Delivery(0, 0, "2018-10-01T13:00:00Z", "u", "flyer_open", "1", "A")
LONG = "x" * 257
# A row for each reason, and the example of it that is shown.
REJECTED = {
    "future_timestamp": (replace(ROW, timestamp="2031-01-01T00:00:00Z"), ", such as '2031-01-01T00:00:00Z'"),
    "id_too_long": (replace(ROW, flyer_id=LONG), f", such as '{LONG[:100]}'"),
    "missing_event": (replace(ROW, event=""), ""),
    "missing_timestamp": (replace(ROW, timestamp=" "), ", such as ' '"),
    "missing_user_id": (replace(ROW, user_id="<null>"), ", such as '<null>'"),
    "timestamp_too_old": (replace(ROW, timestamp="1999-12-31T23:59:59Z"), ", such as '1999-12-31T23:59:59Z'"),
    "unknown_event": (replace(ROW, event="open\nflyer"), r", such as 'open\nflyer'"),
    "unparseable_timestamp": (replace(ROW, timestamp="1538416450"), ", such as '1538416450'"),
}


class Builds:
    """Builds after loads that are made up."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._loads = Loads(project)
        project.start_over()

    def load(self, number: int, usable: int = 0, rejected: int = 0) -> None:
        """Load rows as number ``number``; rejected ones have an epoch for a timestamp."""
        timestamps = [f"2018-10-{number + 1:02}T13:{minute:02}:00Z" for minute in range(usable)]
        timestamps += ["1538416450"] * rejected
        self._loads.add(
            number, (replace(ROW, load=number, position=row, timestamp=at) for row, at in enumerate(timestamps))
        )

    def load_every_reason(self, number: int) -> None:
        """Load one row for each reason to reject it."""
        self._loads.add(number, (replace(row, load=number) for row, _ in REJECTED.values()))

    def build(self, *options: str) -> str:
        """Build all models, and return what was said."""
        self.project.dbt(*BUILD, "resource_type:model", *options)
        return self.said()

    def build_fails(self, *options: str) -> str:
        """Try to build all models, expect that those after staging are skipped, and return what was said."""
        built = self.project.try_dbt(*BUILD, "resource_type:model", *options)
        assert isinstance(built.result, RunExecutionResult)
        assert {result.node.name for result in built.result if result.status == "fail"} == {TEST}
        skipped = {result.node.name for result in built.result if result.status == "skipped"}
        models = {node.name for node in self.project.manifest.nodes.values() if isinstance(node, ModelNode)}
        assert models - skipped == {name for name in models if name.startswith(("base_", "stg_"))} | VIEWS
        assert skipped > {*MARTS}
        return self.said()

    def said(self) -> str:
        return "\n".join(self.project.messages)


def assert_builds_warn_or_fail(project: Project) -> None:
    builds = Builds(project)
    marts = [f"marts.{name}" for name in MARTS]

    # Bad loads only: twenty of their reasons are named.
    for number in (0, 1, 2):
        builds.load_every_reason(number)
    lines = builds.build_fails().splitlines()
    start = lines.index(ERROR) + 2
    named = [f"    1 {reason}{example} in load 2" for reason, (_, example) in REJECTED.items()]
    assert lines[start - 1 : start + len(named)] == ["  8 of 8 rows loaded at 2021-01-01 02:00:00 UTC", *named]
    assert "    and 4 more, of this or older loads" in lines
    assert "Load corrected files, then build again" in builds.said()

    # After a good load, builds go on by themselves.
    builds.load(3, usable=9)
    assert f"{WARNING}\n  8 of 8 rows loaded at 2021-01-01 02:00:00 UTC\n" in builds.build()
    before = project.tables(*marts)
    assert sum(map(len, before.values())) == 3

    # Until then they fail, and so does `make publish`.
    builds.load(4, rejected=4)
    builds.build_fails()
    assert not project.try_dbt("test", "--select", TEST).success
    assert ERROR in builds.said()
    assert project.tables(*marts) == before

    # More than a tenth, once.
    builds.load(5, usable=18, rejected=2)
    builds.load(6, usable=17, rejected=3)
    builds.load(7, rejected=1)
    said = builds.build()
    assert WARNING in said
    assert [line for line in said.splitlines() if " rows loaded at " in line] == [
        "  1 of 1 rows loaded at 2021-01-01 07:00:00 UTC",
        "  3 of 20 rows loaded at 2021-01-01 06:00:00 UTC",
        "  4 of 4 rows loaded at 2021-01-01 04:00:00 UTC",
    ]
    assert "cannot be used" not in builds.build()

    # Nothing is usable any more, as with a wrong event_types.csv. A full refresh leaves the marts as they are.
    before = project.tables(*marts)
    project.query("delete from raw.flyer_events where \"timestamp\" like '2018%'")
    builds.build_fails("--full-refresh")
    assert project.tables(*marts) == before


def test_builds_warn_or_fail(project: Project) -> None:
    assert_builds_warn_or_fail(project)
    project.disconnect()
    assert why_nothing_is_usable(project.database).startswith(
        "None of the 22 loaded rows can be used: 13 unparseable_timestamp, such as '1538416450' in load 0;"
    )


def test_the_sample_is_a_load(project: Project) -> None:
    builds = Builds(project)
    staging = ("resource_type:model,+stg_flyer_app__rejected",)
    project.dbt(*BUILD, *staging)
    assert "cannot be used" not in builds.said()
    project.query("update raw.sample_flyer_events set user_id = null where user_id < '5'")
    project.dbt(*BUILD, *staging)
    assert WARNING in builds.said()
    assert " missing_user_id in sample_flyer_events.csv" in builds.said()


ALL_REJECTED = """
    create schema raw;
    create schema staging;
    create table raw.flyer_events as from range(3) as rows (user_id);
    create table staging.stg_flyer_app__rejected as
    from (values ('unknown_event', 'open', 'a.csv'), ('unknown_event', 'op', 'b.csv'), ('missing_event', null, null))
        as rejected (rejection_reason, rejected_value, _source_file)
"""
WHY = "None of the 3 loaded rows can be used: 2 unknown_event, such as 'op' in b.csv; 1 missing_event."


@pytest.fixture
def nothing_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose first load was rejected."""
    database = tmp_path / "flyer.duckdb"
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(database))
    with duckdb.connect(str(database)) as connection:
        connection.execute(ALL_REJECTED)
    return database


def test_commands_say_why(nothing_usable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--out", str(nothing_usable.parent / "pages")]
    of_database = [*options, "--database", str(nothing_usable)]
    commands = (publish.main, summary.main, lambda: pages.main(options), lambda: pages.main(of_database))
    for command in commands:
        assert command() == 1
        said = capsys.readouterr().err
        assert WHY in said
        assert "Load corrected files with `make load`" in said
        assert "`make build` first" not in said


def test_a_reason_is_given_only_if_it_is_one(nothing_usable: Path) -> None:
    assert WHY in why_nothing_is_usable(nothing_usable)
    with duckdb.connect(str(nothing_usable)) as connection:
        # a build is running
        assert why_nothing_is_usable(nothing_usable) == ""
        connection.execute("insert into raw.flyer_events values (4)")
    assert why_nothing_is_usable(nothing_usable) == ""
    with duckdb.connect(str(nothing_usable)) as connection:
        # the sample is read
        connection.execute("delete from raw.flyer_events")
    assert why_nothing_is_usable(nothing_usable) == ""
    with duckdb.connect(str(nothing_usable)) as connection:
        connection.execute("drop schema staging cascade")
    assert why_nothing_is_usable(nothing_usable) == ""
    nothing_usable.unlink()
    assert why_nothing_is_usable(nothing_usable) == ""
    nothing_usable.write_text("no database")
    assert why_nothing_is_usable(nothing_usable) == ""
