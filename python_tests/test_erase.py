"""Erasing a user: what is left equals what it would be if the user had never been there, and nothing holds the id."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from dbt.cli.main import dbtRunnerResult
from moto import mock_aws

from flyer_analytics import erase as erasing
from flyer_analytics.dbt_process import Dbt
from flyer_analytics.erase import erase, find, main
from flyer_analytics.export import export
from flyer_analytics.load.outcome import LoadError
from flyer_analytics.publish import publish, published_path
from flyer_analytics.rewrite import User, rewrite
from flyer_analytics.stream.lake import Content, Lake, open_lake
from python_tests.conftest import Project, RedshiftProject

COLUMNS = ["timestamp", "user_id", "event", "flyer_id", "merchant_id"]
ID = "71234567890"
SPELLINGS = [ID, f" {ID}\t", f"{ID}.0", "7.123456789e10"]
# Similar ids, which must stay. Those with the erased one as a part would hide it in the bytes of files.
OTHERS = [ID[:-1], ID[1:], f"x{ID[:-1]}", "71234567891", "9ea672779feb", "null-user"]
NESTED = [f"{ID}1", f"{ID}a", f"x{ID}", f"{ID}_2", f"a-{ID}"]
MARTS = ["user_daily_avg_flyer_time", "merchant_flyer_engagement", "merchant_flyer_daily", "merchant_hourly"]
Row = list[str]


def evening(user: str, minutes: int, day: int = 1) -> list[Row]:
    """A view over Toronto's midnight, of a length of its own, an item, and a favorite on each date."""
    today, tomorrow = f"2018-10-{day:02}", f"2018-10-{day + 1:02}"
    return [
        [f"{today}T23:40:00-04:00", user, "flyer_open", "1", "60"],
        [f"{today}T23:50:00-04:00", user, "favorite", "", "60"],
        [f"{today}T23:{40 + minutes}:00-04:00", user, "item_open", "1", "60"],
        [f"{tomorrow}T00:0{minutes % 10}:00-04:00", user, "flyer_open", "1", "60"],
        [f"{tomorrow}T00:1{minutes % 10}:30-04:00", user, "flyer_open", "2", "61"],
        [f"{tomorrow}T00:20:00-04:00", user, "favorite", "", "61"],
    ]


def rows_of_others(others: list[str] = OTHERS) -> list[Row]:
    return [
        *(row for number, user in enumerate(others) for row in evening(user, 2 + 2 * number)),
        ["yesterday", others[0], "flyer_open", "1", "60"],
    ]


def rows_of_user() -> list[Row]:
    return [
        *([row[0], SPELLINGS[number % 4], *row[2:]] for number, row in enumerate(evening(ID, 3))),
        ["2018-12-24T12:00:00Z", ID, "flyer_open", "3", "62"],  # a date of nobody else
        ["2018-12-24T12:00:20Z", ID, "list_flyers", "", ""],
        ["yesterday", SPELLINGS[2], "flyer_open", "1", "60"],
        ["2018-10-01T12:00:00Z", "", ID, "1", "60"],
        ["2018-10-01T12:00:00Z", "null", "flyer_open", ID, "60"],
    ]


def write_csv(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def write_json(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows))
    return path


def files(folder: Path) -> Path:
    """Files of all formats that hold the user."""
    folder.mkdir()
    user, others = rows_of_user(), rows_of_others()
    write_csv(folder / "a.csv", [*others[:10], *user[:4]])
    write_csv(folder / "twin of a.csv", [*others[:10], *user[:4]])
    write_json(folder / "b.jsonl", [*others[10:20], *user[4:8]])
    plain = write_csv(folder / "c.csv", [*others[20:30], *user[8:]])
    text = plain.read_text() + f'only,two\n2018-10-01,{ID},flyer_open,"1\n'
    (folder / "c.csv.gz").write_bytes(gzip.compress(text.encode()))
    write_csv(plain, [*others[30:], *user[:2]])
    duckdb.sql(f"copy (from read_csv('{plain}', all_varchar = true)) to '{folder}/d.parquet'")
    plain.unlink()
    return folder


def holders(folder: Path) -> list[Path]:
    """The files that hold the id, packed or not."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and ID.encode() in (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    ]


def columns_that_hold(project: Project, user_id: str) -> list[tuple[str, str]]:
    """The text columns of all tables with a value that is the id, in any spelling, or has it as a word."""
    columns = project.query(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where table_schema in ('raw', 'staging', 'intermediate', 'marts') and data_type in"
        " ('VARCHAR', 'text', 'character varying')"
    )
    assert len(columns) > 40
    found = []
    for schema, table, column in columns:
        values = [value for (value,) in project.query(f'select distinct "{column}" from "{schema}"."{table}"') if value]
        if any(value.strip() in SPELLINGS or f",{user_id}," in value for value in values):
            found.append((table, column))
    return found


def marts(project: Project) -> dict[str, Any]:
    return project.tables(*(f"marts.{name}" for name in [*MARTS, "time_spine_daily"]))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # the command sets them
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "none")
    monkeypatch.setenv("DBT_WRITE_JSON", "false")


def kill_once(dbt: Dbt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next run of models fail before it begins."""
    invoke = dbt.invoke

    def killed(*arguments: str) -> dbtRunnerResult:
        if arguments[0] == "run":
            monkeypatch.setattr(dbt, "invoke", invoke)
            raise KeyboardInterrupt
        return invoke(*arguments)

    monkeypatch.setattr(dbt, "invoke", killed)


def test_a_user_is_erased_from_duckdb_and_its_files(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.start_over()
    delivered = files(tmp_path / "delivered")
    project.load(delivered)
    project.dbt("run")
    project.disconnect()
    manifest = tmp_path / "manifest.json"
    project.manifest.write(str(manifest))  # type: ignore[no-untyped-call]
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    publish(project.database, manifest, published_path())
    export(project.database, manifest, tmp_path / "exports")
    assert {path.suffix for path in holders(tmp_path)} == {".csv", ".jsonl", ".gz", ".parquet", ".duckdb"}

    dbt = Dbt("duckdb", project.manifest)
    places = find(dbt, SPELLINGS[3], [str(tmp_path / "exports")])
    assert places.rows["raw.flyer_events"] == 4 + 4 + 3 + 2
    assert places.rows["raw.rejected_lines"] == 1
    assert {Path(file.name).name for file in places.files} >= {"a.csv", "twin of a.csv", "b.jsonl", "c.csv.gz"}
    kill_once(dbt, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        erase(dbt, ID, [str(tmp_path / "exports")])
    left = erase(dbt, SPELLINGS[1], [str(tmp_path / "exports")])
    assert not left and not left.problems, left
    assert project.query("select count(*) from raw.flyer_events") == [(len(rows_of_others()),)]
    assert columns_that_hold(project, ID) == []
    assert holders(tmp_path) == []
    assert len(project.query("select * from raw.erased_users")) == 1

    # The files are known, and other loads go on as increments. The user comes back with one of them.
    assert "Loaded 0 rows" in project.load(delivered)
    again = [*evening("late", 5, day=2), *evening(SPELLINGS[2], 3, day=2)]
    project.load(write_csv(delivered / "later.csv", again))
    project.dbt("run")
    project.disconnect()
    assert dbt.answer("find_erased_users") == [ID]
    monkeypatch.setattr(erasing, "Dbt", lambda _: dbt)
    assert main(["--again", "--yes"]) == 0
    increments = marts(project)
    project.dbt("run", "--full-refresh")
    assert marts(project) == increments
    assert columns_that_hold(project, ID) == []
    assert holders(delivered) == []
    project.disconnect()
    assert main(["nobody", "--yes"]) == 1
    assert "No user nobody was found" in capsys.readouterr().err


def test_a_user_is_erased_from_redshift(redshift: RedshiftProject) -> None:
    # PostgreSQL refuses VACUUM within a transaction too
    vacuumed = []

    def vacuum(sql: str) -> str:
        vacuumed.extend(re.findall("vacuum delete only (.+) to 100 percent", sql))
        return f"vacuum {vacuumed[-1]}"

    redshift.standin.emulate("vacuum delete only", vacuum)

    def insert(rows: list[Row], loaded_at: str) -> None:
        file = redshift.folder / "rows.csv"
        with file.open("w", newline="") as target:
            csv.writer(target).writerows([*row, "flyer-events/0", "", loaded_at] for row in rows)
        redshift.insert_raw(file)

    redshift.dbt("run", "--select", "base_flyer_app__events")
    insert([*rows_of_others(NESTED), *rows_of_user()], "2019-01-01")
    redshift.query(
        "insert into raw.rejected_lines (file, line, reason) values"
        f" ('flyer-events/0', '2018-10-01,{ID},flyer_open', 'short'), ('flyer-events/0', 'a,{NESTED[0]},b', 'short')"
    )
    redshift.dbt("run")
    dbt = Dbt("redshift", redshift.manifest)
    left = erase(dbt, SPELLINGS[2])
    assert not left and not left.problems, left
    assert columns_that_hold(redshift, ID) == []
    assert redshift.query("select count(*) from raw.flyer_events") == [(len(rows_of_others(NESTED)),)]
    assert redshift.query("select count(*) from raw.rejected_lines") == [(1,)]
    assert len({*vacuumed}) == len(vacuumed) > 10
    insert(evening("late", 5, day=2), "2030-01-01")
    redshift.dbt("run")
    increments = marts(redshift)
    redshift.dbt("run", "--full-refresh")
    assert marts(redshift) == increments
    insert(evening(SPELLINGS[3], 7), "2030-01-02")
    assert dbt.answer("find_erased_users") == [ID]
    with pytest.raises(LoadError, match="No user nobody was found"):
        erase(dbt, "nobody")


USER = User("user_id = 'u1'", "contains(line, 'u1')")


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    if request.param == "folder":
        yield open_lake(str(tmp_path))
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="lake")
        yield open_lake("s3://lake/events")


def test_objects_of_the_lake_keep_their_offsets_and_lines(lake: Lake, tmp_path: Path) -> None:
    lines = b'{"user_id": "u1", "event": "a"}\n{"user_id": "u2", "event": "b"}\n"u1, not an object"\n'
    lake.create("events", 0, 7, Content(9, 1000, 2000, 3, "id").packed(lines))
    (entry,) = lake.entries("events", 0)
    before = lake.describe(entry)
    assert (found := rewrite(entry.name, USER, change=True)) and found.lines == 2
    (entry,) = lake.entries("events", 0)
    after = lake.describe(entry)
    assert {**vars(after), "size": 0} == {**vars(before), "size": 0}
    if entry.name.startswith("s3://"):
        packed = boto3.client("s3").get_object(Bucket="lake", Key=entry.name.removeprefix("s3://lake/"))["Body"].read()
    else:
        packed = Path(entry.name).read_bytes()
        assert not list(tmp_path.rglob(".*"))
    assert gzip.decompress(packed) == b'\n{"user_id": "u2", "event": "b"}\n\n'
    assert rewrite(entry.name, USER, change=True) is None
