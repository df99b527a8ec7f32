"""Exports of events and views as Parquet files by date."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from flyer_analytics import dbt_process, export, publish
from python_tests.conftest import Project
from python_tests.test_publish import end, manifest_file, start_reader

EXPORTED = {"stg_flyer_app__events": "staging", "int_flyer_views": "intermediate"}
DAYS = [date(2018, 10, 29) + timedelta(days=day) for day in range(14)]  # of the sample


def changes(project: Project, lake: Path, dates: tuple[date, date] = export.ALL) -> list[tuple[list[date], list[date]]]:
    """Export, expect the rows of the tables on these dates, and return for each model the dates written and removed."""
    project.disconnect()
    exported = export.export(project.database, manifest_file(), lake, dates)
    for name, schema in EXPORTED.items():
        columns = ", ".join(row[0] for row in project.query(f"describe {schema}.{name}"))
        condition = f"date between '{dates[0]}' and '{dates[1]}'"
        files = f"read_parquet('{lake}/{name}/*/*.parquet', hive_partitioning = true)"
        table, files = (f"select {columns} from {rows} where {condition}" for rows in (f"{schema}.{name}", files))
        assert project.query(f"select count(*) > 100 from ({files})") == [(True,)]
        assert project.query(f"{table} except all {files}") == []
        assert project.query(f"{files} except all {table}") == []
    assert not [*lake.glob(f"{export.SCRATCH_PREFIX}*")]
    return [(model.written, model.removed) for model in exported]


@pytest.mark.usefixtures("built_sample")
def test_only_changed_dates_are_written(project: Project, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    assert changes(project, lake, (DAYS[0], DAYS[1])) == [(DAYS[:2], [])] * 2
    assert sorted(path.name for path in (lake / "int_flyer_views").iterdir()) == [f"date={day}" for day in DAYS[:2]]
    (lake / ".exporting-killed").mkdir()
    assert changes(project, lake) == [(DAYS[2:], [])] * 2
    assert changes(project, lake) == [([], [])] * 2

    # one date changes, one loses its rows, files of two are damaged or missing
    project.query(f"update staging.stg_flyer_app__events_keyed set deliveries = 9 where date = '{DAYS[1]}'")
    project.query(f"delete from staging.stg_flyer_app__events_keyed where date = '{DAYS[-1]}'")
    events = lake / "stg_flyer_app__events"
    (events / f"date={DAYS[2]}" / export.FILE).unlink()
    (events / f"date={DAYS[3]}" / export.FILE).chmod(0o644)
    (events / f"date={DAYS[3]}" / export.FILE).write_bytes(b"damaged")
    # left over from an export in several files; of another program
    (events / f"date={DAYS[1]}" / "data_1.parquet").write_bytes(b"left over")
    (events / "notes").mkdir()
    assert changes(project, lake) == [(DAYS[1:4], [DAYS[-1]]), ([], [])]
    assert {path.name for path in events.iterdir()} == {"notes", *(f"date={day}" for day in DAYS[:-1])}


@pytest.mark.usefixtures("built_sample")
def test_readers_find_every_date_once(project: Project, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for deliveries in range(1, 8):
        project.query(f"update staging.stg_flyer_app__events_keyed set deliveries = {deliveries}")
        export.export(project.database, manifest_file(), lake)
        if deliveries == 1:
            reader = start_reader(lake, "export")
    reads, states = end(reader)
    assert reads > 5
    assert states > 1


def by_date(project: Project) -> dict[date, list[str]]:
    """The rows of a mart for each date."""
    rows: dict[date, list[str]] = {}
    for row in project.rows("marts.user_daily_avg_flyer_time"):
        rows.setdefault(row["date"], []).append(str(row))
    return {day: sorted(rows[day]) for day in rows}


@pytest.mark.usefixtures("built_sample")
def test_a_range_is_backfilled_after_a_change_of_rules(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another rule, and deleted raw rows. Publishing and exporting then replace the recomputed dates alone."""
    lake, published = tmp_path / "lake", tmp_path / "published"
    changes(project, lake)
    publish.publish(project.database, manifest_file(), published)
    before = by_date(project)

    model = project.manifest.nodes["model.flyer_analytics.int_flyer_events_sequenced"]
    rule = "var('inactivity_timeout_secs') ~ '000000'"
    assert rule in model.raw_code
    monkeypatch.setattr(model, "raw_code", model.raw_code.replace(rule, "'60000000'"))
    project.query(f"delete from raw.sample_flyer_events where event = 'favorite' and \"timestamp\" like '{DAYS[0]}%'")
    project.dbt("run", "--vars", f"{{recompute_dates: {DAYS[0]}}}")

    events, views = (written for written, _ in changes(project, lake))
    published_days = publish.publish(project.database, manifest_file(), published).changed["user_daily_avg_flyer_time"]
    recomputed = by_date(project)
    project.dbt("run", "--full-refresh")
    under_new_rules = by_date(project)
    # the range with two days beside it, and what is within reach of these
    for day in DAYS[:3]:
        assert recomputed[day] == under_new_rules[day] != before[day]
    for day in DAYS[4:]:
        assert recomputed[day] == before[day] != under_new_rules[day]
    for changed in (views, published_days):
        assert {*DAYS[:3]} <= {*changed} <= {*DAYS[:4]}
    assert events == [DAYS[0]]


def test_only_a_complete_build_is_exported(
    project: Project, sample_database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    assert export.main([str(lake)]) == 1
    assert f"{project.database} does not exist" in capsys.readouterr().err
    project.database.write_bytes(sample_database.read_bytes())
    assert export.main([str(lake), "--dates", "2018-11-03"]) == 0
    assert f"{lake}/int_flyer_views: 1 date written, 0 unchanged\n" in capsys.readouterr().out
    files = {*lake.rglob("*")}
    project.query("update staging.build_state set completed_to = null")
    assert export.main([str(lake)]) == 1
    said = capsys.readouterr().err
    assert "has no complete build" in said
    assert "make build" in said
    assert {*lake.rglob("*")} == files


@pytest.mark.parametrize(
    "dates", ["yesterday", "2018-10-02/2018-10-01", "2019-02-29", "2018-10-01/2018-10-02/2018-10-03"]
)
def test_invalid_dates_are_an_error(dates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export.main([str(tmp_path), "--dates", dates])
    assert f"--dates {dates}: give a date, 2018-10-01, or a first and a last one" in capsys.readouterr().err


def test_redshift_exports_to_s3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = []

    class Dbt:
        def __init__(self, target: str) -> None:
            run.append(target)

        def operation(self, name: str, **arguments: str) -> list[str]:
            if "refused" in arguments["path"]:
                raise dbt_process.DbtError("permission denied")
            return [f"{name} {arguments}"]

    monkeypatch.setattr(dbt_process, "Dbt", Dbt)
    assert export.main(["s3://lake/exports", "--dates", "2018-10-01"]) == 0
    assert capsys.readouterr().out == (
        "export_events {'path': 's3://lake/exports', 'dates': '2018-10-01/2018-10-01'}\n"
    )
    assert export.main(["s3://refused", "--target", "production"]) == 1
    assert capsys.readouterr().err == "permission denied\n"
    assert run == ["redshift", "production"]


def test_the_operation_of_redshift_names_the_command_for_duckdb(project: Project) -> None:
    assert not project.try_dbt("run-operation", "export_events", "--args", "{path: lake}").success
    assert "python -m flyer_analytics.export FOLDER" in "\n".join(project.messages)
