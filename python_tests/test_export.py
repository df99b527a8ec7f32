"""Events and views as Parquet files by date."""

from pathlib import Path

import pytest

from .conftest import Project

EXPORTED = {"stg_flyer_app__events": "staging", "int_flyer_views": "intermediate"}


def export(project: Project, arguments: str) -> str:
    """Run the export, and return what was said of it."""
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


def test_what_is_exported_reads_back_as_the_tables(project: Project, tmp_path: Path) -> None:
    project.dbt("build", "--exclude-resource-type", "test", "unit_test")
    lake = tmp_path / "lake"
    said = export(project, f"{{path: '{lake}', dates: 2018-11-02/2018-11-03}}")
    assert f"{lake}/int_flyer_views: " in said
    assert_exported(project, lake, "date between '2018-11-02' and '2018-11-03'")
    for name in EXPORTED:
        assert sorted(path.name for path in (lake / name).iterdir()) == ["date=2018-11-02", "date=2018-11-03"]
        (lake / name / "date=2018-11-02" / "data_9.parquet").write_bytes(b"left over")
        (lake / name / "date=2001-01-01").mkdir()

    # the folder of a date that is written again is emptied first, others stay
    for _ in range(2):
        export(project, f"{{path: '{lake}/'}}")
        assert_exported(project, lake)
    assert all((lake / name / "date=2001-01-01").is_dir() for name in EXPORTED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{path: ''}", "export_events needs a path, a text; it got"),
        (
            "{path: 's3://lake'}",
            "cannot write to 's3://lake': Redshift writes to s3://bucket/folder, DuckDB to a folder",
        ),
        ("{path: x, dates: yesterday}", "got dates 'yesterday'; it takes a date written YYYY-MM-DD"),
        ("{path: x, dates: 2018-10-02/2018-10-01}", "got dates '2018-10-02/2018-10-01'"),
        ("{path: x, dates: '2019-02-29'}", "got dates '2019-02-29'"),
        ("{path: x, dates: '2020-02-29'}", "is not there to export: run dbt build first"),
    ],
)
def test_an_export_that_makes_no_sense_is_an_error(project: Project, arguments: str, message: str) -> None:
    assert message in export(project, arguments)
