"""Exports of events and views as Parquet files by date."""

from pathlib import Path

import pytest

from .conftest import Project

EXPORTED = {"stg_flyer_app__events": "staging", "int_flyer_views": "intermediate"}


def export(project: Project, arguments: str) -> str:
    """Run the export and return its messages."""
    project.try_dbt("run-operation", "export_events", "--args", arguments)
    return "\n".join(project.messages)


def assert_exported(project: Project, folder: Path, condition: str = "true") -> None:
    for name, schema in EXPORTED.items():
        columns = ", ".join(row[0] for row in project.query(f"describe {schema}.{name}"))
        table = f"select {columns} from {schema}.{name} where {condition}"
        files = f"select {columns} from read_parquet('{folder}/{name}/*/*.parquet', hive_partitioning = true)"
        assert project.query(f"select count(*) > 100 from ({files})") == [(True,)]
        assert project.query(f"{table} except all {files}") == []
        assert project.query(f"{files} except all {table}") == []


@pytest.mark.usefixtures("built_sample")
def test_exported_files_equal_the_tables(project: Project, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    said = export(project, f"{{path: '{lake}', dates: 2018-11-02/2018-11-03}}")
    assert f"{lake}/int_flyer_views: " in said
    assert_exported(project, lake, "date between '2018-11-02' and '2018-11-03'")
    for name in EXPORTED:
        assert sorted(path.name for path in (lake / name).iterdir()) == ["date=2018-11-02", "date=2018-11-03"]
        (lake / name / "date=2018-11-02" / "data_9.parquet").write_bytes(b"left over")
        (lake / name / "date=2001-01-01").mkdir()

    # an export replaces the files of its dates and keeps other folders
    for _ in range(2):
        export(project, f"{{path: '{lake}/'}}")
        assert_exported(project, lake)
    assert all((lake / name / "date=2001-01-01").is_dir() for name in EXPORTED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{path: ''}", "export_events needs a path as text; got"),
        (
            "{path: 's3://lake'}",
            "cannot write to 's3://lake': Redshift exports to s3://bucket/folder, DuckDB to a local folder",
        ),
        ("{path: x, dates: yesterday}", "cannot read dates 'yesterday': give one date, YYYY-MM-DD"),
        ("{path: x, dates: 2018-10-02/2018-10-01}", "cannot read dates '2018-10-02/2018-10-01'"),
        ("{path: x, dates: '2019-02-29'}", "cannot read dates '2019-02-29'"),
        ("{path: x, dates: '2020-02-29'}", "does not exist: run dbt build first"),
    ],
)
def test_invalid_arguments_are_an_error(project: Project, arguments: str, message: str) -> None:
    assert message in export(project, arguments)
