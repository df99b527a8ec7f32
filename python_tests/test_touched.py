"""FLYER_TEST_SCOPE=touched: the data tests of an increment read the rows that it has written, and no others."""

import shutil
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from python_tests.conftest import Project

HEADER = "timestamp,user_id,event,flyer_id,merchant_id\n"
BEFORE = [
    "2018-10-01T14:00:00Z,old,flyer_open,F1,M1",
    "2018-10-01T14:00:30Z,old,item_open,F1,M1",
    "2018-10-01T14:01:00Z,old,favorite,F1,M1",
    "2018-10-01T14:02:00Z,old,flyer_open,F2,M1",
    "2018-10-04T14:00:00Z,new,flyer_open,F1,M1",
    "2018-10-04T14:00:30Z,new,item_open,F1,M1",
    "2018-10-04T14:01:00Z,new,favorite,F1,M1",
]
AFTER = ["2018-10-04T14:02:00Z,new,flyer_open,F2,M1"]
# One wrong row in a table of each kind: what is staged, what is rebuilt and aggregated by user, what is by date alone.
WRONG_ROWS = {
    "unique_combination_of_columns_stg_flyer_app__events_keyed_user_key__event_at__action_key": """
        update staging.stg_flyer_app__events_keyed set event_at = date + interval 14 hour, action_key = 1
        where user_key = {user}
    """,
    "a_user_day_has_a_view_or_a_gap": """
        update marts.user_daily_avg_flyer_time set views = 0, measured_gaps = 0 where user_id = '{user_id}'
    """,
    "expression_is_true_int_flyer_daily_items_opened__items_opened_0": """
        update intermediate.int_flyer_daily set items_opened = -1 where date = '{date}'
    """,
    "accepted_values_int_flyer_events_sequenced_view_end_reason__next_flyer__left__idle": """
        update intermediate.int_flyer_events_sequenced set view_end_reason = 'wrong' where user_key = {user}
    """,
}
# The same in what a model computes: it is wrong where the increment writes.
ITEMS = "count(case when actions.counts_as = 'item' then 1 end)"
WRONG_MODELS = {
    "a_view_part_starts_with_its_first_event": (
        "int_flyer_view_parts",
        "- part\n    part_started_at,",
        "- part\n    event_at + interval 1 day as part_started_at,",
    ),
    "an_engagement_measures_at_most_its_views": (
        "merchant_flyer_engagement",
        "reader_days.views\n",
        "cast(-1 as bigint) as views\n",
    ),
    "expression_is_true_int_flyer_daily_items_opened__items_opened_0": ("int_flyer_daily", ITEMS, "cast(-1 as bigint)"),
}


@pytest.fixture(scope="module")
def built_before(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which the events of BEFORE are built."""
    project = Project(manifest, tmp_path_factory.mktemp("touched"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        load(project, BEFORE)
        project.dbt("run")
    project.disconnect()
    return project.database


@pytest.fixture
def loaded(project: Project, built_before: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with the events of AFTER loaded and not built."""
    shutil.copy(built_before, project.database)
    load(project, AFTER)
    monkeypatch.setenv("FLYER_TEST_SCOPE", "touched")
    return project


def load(project: Project, rows: list[str]) -> None:
    file = project.folder / f"{len(rows)}.csv"
    file.write_text(HEADER + "\n".join(rows) + "\n")
    project.load(file)


def edit(project: Project, monkeypatch: pytest.MonkeyPatch, model: str, right: str, wrong: str) -> None:
    node = project.manifest.nodes[f"model.flyer_analytics.{model}"]
    assert right in node.raw_code
    monkeypatch.setattr(node, "raw_code", node.raw_code.replace(right, wrong))


def failing(project: Project, *command: str) -> set[str]:
    """Run a command of dbt and return the names of the tests that fail."""
    result = project.try_dbt(*command, "--exclude-resource-type", "unit_test")
    assert result.result, project.messages
    project.disconnect()
    return {it.node.name for it in result.result if it.status == "fail"}  # type: ignore[union-attr]


def test_wrong_rows_elsewhere_are_left_to_the_tests_of_all_rows(loaded: Project) -> None:
    for statement in WRONG_ROWS.values():
        loaded.query(statement.format(user=2, user_id="old", date="2018-10-01"))
    assert dict(loaded.query("select user_id, user_key from staging.stg_flyer_app__users")) == {"new": 1, "old": 2}
    views = ["--indirect-selection", "cautious", "--exclude", "int_flyer_views,resource_type:test"]
    assert failing(loaded, "build", *views) == set()
    assert loaded.query("select sum(views) from marts.user_daily_avg_flyer_time where user_id = 'new'") == [(2,)]
    assert {*WRONG_ROWS} == failing(loaded, "test", "--select", *WRONG_ROWS)


def test_wrong_rows_in_the_same_days_fail(loaded: Project) -> None:
    """Two other events of the user's day that are the same, which the increment does not replace."""
    test, statement = next(iter(WRONG_ROWS.items()))
    loaded.query(statement.format(user=1))
    assert failing(loaded, "build") == {test}
    assert loaded.query("select sum(views) from marts.user_daily_avg_flyer_time where user_id = 'new'") == [(1,)]


@pytest.mark.parametrize("test", WRONG_MODELS)
def test_what_an_increment_writes_is_tested(loaded: Project, test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(loaded, monkeypatch, *WRONG_MODELS[test])
    assert test in failing(loaded, "build", "--select", f"+{WRONG_MODELS[test][0]}")
    assert loaded.query("select max(_loaded_at) > max(completed_to) from raw.flyer_events, staging.build_state") == [
        (True,)
    ]


def test_a_full_build_tests_all_rows(loaded: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "case flyer_events.view_date when date '2018-10-01' then -1 else 0 end"
    edit(loaded, monkeypatch, "int_flyer_daily", ITEMS, wrong)
    loaded.query("drop table staging.build_state")
    test = "expression_is_true_int_flyer_daily_items_opened__items_opened_0"
    assert test in failing(loaded, "build", "--select", "+int_flyer_daily")
