"""Loading your own events: all formats, invalid input, repeated loads and interrupted loads."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from flyer_analytics import generate
from python_tests.conftest import PROJECT, Project

HEADER = b"timestamp,user_id,event,flyer_id,merchant_id\n"
GOOD = b"2018-10-01T13:00:00-04:00,u1,flyer_open,1,9\n"
ALSO_GOOD = b"2018-10-01T13:00:40-04:00,u2,item_open,1,9\n"
GOOD_ROWS = [("u1", "flyer_open", "1", "9"), ("u2", "item_open", "1", "9")]

LOADED = "select user_id, event, flyer_id, merchant_id from raw.flyer_events order by _source_file, _source_row"
REJECTED = "select line_number, reason, line from raw.rejected_lines order by line_number"


@pytest.fixture
def file(project: Project) -> Path:
    return project.folder / "events.csv"


@pytest.mark.parametrize(
    ("bad_line", "reason"),
    [
        (b"2018-10-01T13:00:00-04:00,u\n", "too_few_fields"),
        (b"2018-10-01T13:00:00-04:00,u,flyer_open,1,9,more\n", "too_many_fields"),
        (b'2018-10-01T13:00:00-04:00,"u,flyer_open,1,9\n', "broken_quotes"),
        (b'2018-10-01T13:00:00-04:00,"u"x,flyer_open,1,9\n', "broken_quotes"),
        (b"2018-10-01T13:00:00-04:00,u\x00,flyer_open,1,9\n", "nul_byte"),
        (b"2018-10-01T13:00:00-04:00,u\xff\xfe,flyer_open,1,9\n", "invalid_utf8"),
        (b"2018-10-01T13:00:00-04:00," + b"u" * 21_000_000 + b",flyer_open,1,9\n", "line_too_long"),
    ],
)
def test_a_bad_line_does_not_affect_good_rows(project: Project, file: Path, bad_line: bytes, reason: str) -> None:
    file.write_bytes(HEADER + GOOD + bad_line + ALSO_GOOD)
    said = project.load(file)
    assert "2 rows" in said
    assert project.query(LOADED) == GOOD_ROWS
    assert [(line, found) for line, found, _ in project.query(REJECTED)] == [(3, reason)]
    assert project.query("select _source_row from raw.flyer_events order by 1") == [(2,), (4,)]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + GOOD + ALSO_GOOD,
        (HEADER + GOOD + ALSO_GOOD).replace(b"\n", b"\r\n"),
        HEADER + GOOD + ALSO_GOOD.replace(b"\n", b"\r\n"),
        (HEADER + GOOD + ALSO_GOOD).rstrip(b"\n"),
        b"\xef\xbb\xbf" + HEADER + GOOD + ALSO_GOOD,
        HEADER + b"\n" + GOOD + b"\r\n" + ALSO_GOOD + b"\n\n",
        b'"Timestamp", USER_ID ,"event",flyer_id,merchant_id\n'
        b'"2018-10-01T13:00:00-04:00","u1","flyer_open","1","9"\n2018-10-01T13:00:40-04:00,u2,"item_open",1,9\n',
        b"merchant_id,note,flyer_id,event,user_id,timestamp\n"
        b"9,,1,flyer_open,u1,2018-10-01T13:00:00-04:00\n9,x,1,item_open,u2,2018-10-01T13:00:40-04:00\n",
    ],
    ids=["lf", "crlf", "mixed", "no_last_newline", "bom", "blank_lines", "quoted", "other_columns"],
)
def test_variants_of_csv(project: Project, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    said = project.load(file)
    assert project.query(LOADED) == GOOD_ROWS
    assert project.query(REJECTED) == []
    assert ("ignored columns: note" in said) == (b"note" in content)


def test_ids_are_kept_unchanged(project: Project, file: Path) -> None:
    ids = [
        "0042",
        'a "quoted" one',
        "comma, inside",
        "two\nlines\n\nmore",
        "emoji 🛒",
        "x" * 10_000,
        'u"bare',
        "O'Neil",
        "\x1f",
    ]
    quoted = ['"' + user.replace('"', '""') + '"' for user in ids]
    rows = [f"2018-10-01T13:00:00-04:00,{user},flyer_open,007,9\n".encode() for user in quoted]
    file.write_bytes(HEADER + b"".join(rows) + b'2018-10-01T13:00:00-04:00,un"quoted,flyer_open,007,9\n')
    project.load(file)
    assert [row[0] for row in project.query(LOADED)] == [*ids, 'un"quoted']
    assert project.query("select distinct flyer_id from raw.flyer_events") == [("007",)]
    assert project.query(REJECTED) == []


def test_a_stray_quote_affects_its_own_line_only(project: Project, file: Path) -> None:
    two_lines = b'2018-10-01T13:00:00-04:00,"two\nlines",flyer_open,1,9\n'
    stray = b'2018-10-01T13:00:00-04:00,"stray,flyer_open,1,9\n'
    file.write_bytes(HEADER + two_lines + GOOD + stray + ALSO_GOOD + two_lines + stray + GOOD * 200)
    project.load(file)
    assert [row[0] for row in project.query(LOADED)] == ["two\nlines", "u1", "u2", "two\nlines", *["u1"] * 200]
    assert [row[:2] for row in project.query(REJECTED)] == [(5, "broken_quotes"), (9, "broken_quotes")]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty.csv", b"", "is empty"),
        ("binary.csv", bytes(range(255, -1, -1)) * 20, "has no header line in valid UTF-8"),
        ("utf16.csv", (HEADER + GOOD).decode().encode("utf-16-le"), "has no header line in valid UTF-8"),
        ("text.csv", b"once upon a time\n", "has no column timestamp, user_id, event, flyer_id, merchant_id"),
        ("short.csv", b"timestamp,user_id,event,flyer_id\n", "has no column merchant_id; its columns are: timestamp"),
        ("other.csv", (HEADER + GOOD).replace(b",", b";"), "has no column timestamp"),
        ("twice.csv", HEADER.replace(b"event", b"user_id,event") + GOOD, "has duplicate column names"),
        ("array.json", b'[{"timestamp": "2018-10-01T13:00:00-04:00"}]\n', "has no line that is a JSON object"),
        (
            "short.jsonl",
            b'{"timestamp": "x", "user_id": "u", "event": "e", "flyer_id": 1}\n',
            "has no column merchant_id",
        ),
    ],
)
def test_an_unusable_file_is_reported_and_others_load(
    project: Project, name: str, content: bytes, complaint: str
) -> None:
    folder = project.folder / "events"
    (folder / "later").mkdir(parents=True)
    (folder / name).write_bytes(content)
    (folder / "a.csv").write_bytes(HEADER + GOOD)
    (folder / "later" / "z.csv").write_bytes(HEADER + ALSO_GOOD)
    (folder / "README.txt").write_bytes(b"not events")
    said = project.load_fails(folder)
    assert f"{folder / name} {complaint}" in said
    assert f"{folder / 'README.txt'}: skipped, unknown file extension" in said
    assert project.query(LOADED) == GOOD_ROWS


def test_a_file_of_a_header_only(project: Project, file: Path) -> None:
    file.write_bytes(HEADER)
    said = project.load(file)
    assert "0 rows, 0 rejected lines" in said
    assert "the models still read the sample" in said


def test_a_damaged_file_stops_the_load(project: Project) -> None:
    (project.folder / "a.csv").write_bytes(HEADER + GOOD)
    # not gzip at all: only DuckDB 2 detects a truncated file
    (project.folder / "b.csv.gz").write_bytes(HEADER + GOOD)
    assert "b.csv.gz" in project.load_fails(project.folder / "*.csv*")
    assert not project.query("select * from information_schema.tables where table_name = 'loaded_files'") or (
        project.query("from raw.flyer_events") == []
    )
    (project.folder / "b.csv.gz").unlink()
    project.load(project.folder / "*.csv*")
    assert project.query(LOADED) == GOOD_ROWS[:1]


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/*.csv", "empty_folder"])
def test_nothing_to_load(project: Project, path: str) -> None:
    (project.folder / "empty_folder").mkdir()
    assert f"Nothing to load at '{project.folder / path}'" in project.load_fails(project.folder / path)


def test_an_unknown_extension(project: Project) -> None:
    (project.folder / "events.txt").write_bytes(HEADER + GOOD)
    assert "file names must end in .csv" in project.load_fails(project.folder / "events.txt")


def test_an_invalid_parquet_file(project: Project) -> None:
    (project.folder / "events.parquet").write_bytes(HEADER + GOOD)
    assert "events.parquet" in project.load_fails(project.folder / "events.parquet")


@pytest.mark.parametrize(
    "stray", [b'2018-10-01T13:00:00-04:00,u,flyer_open,1,"\n', b'2018-10-01T13:00:00-04:00,u,flyer_open,1,"9\n']
)
def test_two_stray_quotes_keep_the_rows_between_them(project: Project, file: Path, stray: bytes) -> None:
    file.write_bytes(HEADER + stray + GOOD + ALSO_GOOD + stray + GOOD)
    project.load(file)
    assert project.query(LOADED) == [*GOOD_ROWS, GOOD_ROWS[0]]
    assert [row[:2] for row in project.query(REJECTED)] == [(2, "broken_quotes"), (5, "broken_quotes")]


def test_a_stray_quote_in_the_header(project: Project, file: Path) -> None:
    file.write_bytes(HEADER.replace(b"merchant_id", b'"merchant_id') + GOOD + GOOD.replace(b"9", b'9"'))
    assert "has no column merchant_id" in project.load_fails(file)


def test_unknown_columns_are_ignored(project: Project, file: Path) -> None:
    file.write_bytes(HEADER.replace(b"\n", b',"a,b",,\n') + GOOD.replace(b"\n", b',"x,y",,\n'))
    project.load(file)
    assert project.query(LOADED) == GOOD_ROWS[:1]
    duckdb.sql(
        "copy (select 'x' as timestamp, 'u2' as user_id, 'item_open' as event, 1 as flyer_id, 9 as merchant_id,"
        f" 5 as file_row_number) to '{project.folder}/events.parquet'"
    )
    project.load(project.folder / "events.parquet")
    assert project.query(LOADED) == GOOD_ROWS


def test_names_that_look_like_patterns_or_partitions(project: Project) -> None:
    folder = project.folder / "a[1]" / "flyer_id=7" / "line=5"
    folder.mkdir(parents=True)
    for number, name in enumerate(("e[1].csv", "e1.csv", "e*.csv", "q?.csv", "o'neil é.csv")):
        (folder / name).write_bytes(HEADER + GOOD.replace(b"u1", b"u%d" % number))
    (folder / "link.csv").symlink_to(folder / "e1.csv")
    said = project.load(project.folder / "a[1]")
    assert "Loaded 5 rows from 5 of" in said
    assert project.query("select count(distinct user_id), max(flyer_id) from raw.flyer_events") == [(5, "1")]
    project.query("drop schema raw cascade")
    assert "Loaded 1 rows from 1 of 1 files" in project.load(folder / "e[1].csv")
    assert project.query("select user_id from raw.flyer_events") == [("u0",)]


@pytest.mark.parametrize("path", ['""', "null", "5", "[a]"])
def test_a_path_is_needed(project: Project, path: str) -> None:
    assert not project.try_dbt("run-operation", "load_events", "--args", f"{{path: {path}}}").success
    assert "load_events needs a path" in "\n".join(project.messages)


def test_a_multiline_record_is_loaded_whole_or_not_at_all(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + b'2018-10-01T13:00:00-04:00,"u\nx\xff\ny",flyer_open,1,9\n' + GOOD)
    project.load(file)
    assert project.query(LOADED) == GOOD_ROWS[:1]
    assert [row[:2] for row in project.query(REJECTED)] == [
        (2, "broken_quotes"),
        (3, "invalid_utf8"),
        (4, "too_few_fields"),
    ]


def test_a_nul_is_rejected_in_every_format(project: Project) -> None:
    row = {"timestamp": "2018-10-01T13:00:00Z", "user_id": "u\0", "event": "e", "flyer_id": "1", "merchant_id": "9"}
    (project.folder / "events.jsonl").write_text(json.dumps(row) + "\n")
    duckdb.sql(
        "copy (select 'x' as timestamp, 'u' || chr(0) as user_id, 'e' as event, '1' as flyer_id, '9' as merchant_id)"
        f" to '{project.folder}/events.parquet'"
    )
    for name in ("events.jsonl", "events.parquet"):
        assert "0 rows, 1 rejected lines" in project.load(project.folder / name)
    assert project.query("select distinct reason from raw.rejected_lines") == [("nul_byte",)]


def test_every_format_gives_the_same_rows(project: Project) -> None:
    for name in ("events.csv", "events.csv.gz", "events.jsonl", "events.parquet"):
        generate.main([str(project.folder / name), "--events", "2000", "--seed", "5"])
        project.load(project.folder / name)
    (project.folder / "events.crlf.csv").write_bytes(
        (project.folder / "events.csv").read_bytes().replace(b"\n", b"\r\n")
    )
    per_file = """
        select count(*), md5(string_agg(md5(concat_ws('|', "timestamp", user_id, event, flyer_id, merchant_id)), ''
            order by _source_row))
        from raw.flyer_events group by _source_file
    """
    found = project.query(per_file)
    # the gzipped file has the same content as the plain one
    assert len(found) == 3
    assert len(set(found)) == 1
    assert found[0][0] == 2000
    assert "skipped, its content is already loaded" in project.load(project.folder / "events.crlf.csv")
    assert project.query("select count(*) from raw.flyer_events") == [(6000,)]


def test_json_lines(project: Project) -> None:
    file = project.folder / "events.ndjson"
    file.write_bytes(
        b'{"timestamp": "2018-10-01T13:00:00Z", "user_id": "u\\u00e9", "event": "flyer_open", "flyer_id": 7,'
        b' "merchant_id": null}\n'
        b"\nnot json\n[1]\n"
        b'{"timestamp": "2018-10-01T13:00:00Z", "user_id": "u2\\r", "event": "list_flyers", "screen": {"a": 1}}\n'
    )
    said = project.load(file)
    assert project.query(LOADED) == [("ué", "flyer_open", "7", None), ("u2\r", "list_flyers", None, None)]
    assert [row[:2] for row in project.query(REJECTED)] == [(3, "not_a_json_object"), (4, "not_a_json_object")]
    assert "ignored columns: screen" in said
    project.dbt("run", "--select", "+stg_flyer_app__events")
    assert project.query("select user_id from staging.stg_flyer_app__events order by 1") == [("u2",), ("ué",)]


def test_typed_parquet_columns_become_text(project: Project) -> None:
    file = project.folder / "events.parquet"
    duckdb.sql(
        "set timezone = 'America/Toronto'; copy (select timestamptz '2018-10-01 13:00:00-04' as timestamp,"
        f" 'u1' as user_id, 'flyer_open' as event, 1 as flyer_id, 2268::double as merchant_id) to '{file}'"
    )
    project.load(file)
    project.dbt("run")
    assert project.query("select event_at::varchar, flyer_id, merchant_id from staging.stg_flyer_app__events") == [
        ("2018-10-01 17:00:00", "1", "2268")
    ]


def test_loading_twice_adds_nothing(project: Project, file: Path) -> None:
    bad_line = b"2018-10-01T13:00:00-04:00,u\xff\n"
    file.write_bytes(HEADER + GOOD + bad_line)
    project.load(file)
    copy = project.folder / "another name.csv"
    shutil.copy(file, copy)
    assert f"{copy}: skipped, its content is already loaded as {file}" in project.load(project.folder / "*.csv")
    assert project.query("select count(*) from raw.flyer_events") == [(1,)]
    assert project.query("select count(*) from raw.rejected_lines") == [(1,)]

    # a file that differs in a bad line only is another file
    copy.write_bytes(HEADER + GOOD + bad_line.replace(b"\xff", b"\xff\xff"))
    project.load(copy)
    assert project.query("select count(*) from raw.rejected_lines") == [(2,)]


@pytest.mark.usefixtures("built_sample")
def test_own_events_replace_the_sample(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD + ALSO_GOOD)
    project.load(file)
    project.dbt("build", "--exclude-resource-types", "seed", "unit_test")
    assert project.query("select distinct user_id from marts.user_daily_avg_flyer_time order by 1") == [
        ("u1",),
        ("u2",),
    ]


def load_command(database: Path, path: Path, *wrapper: str) -> list[str]:
    """The command that a user would run, in its own process."""
    dbt = "import sys; from dbt.cli.main import dbtRunner; sys.exit(not dbtRunner().invoke(sys.argv[1:]).success)"
    return [
        *wrapper,
        *("env", f"FLYER_DUCKDB_PATH={database}", f"DBT_TARGET_PATH={database.parent / 'target'}"),
        *(sys.executable, "-c", dbt, "run-operation", "load_events", "--args", f'{{path: "{path}"}}'),
    ]


def test_a_killed_load_loads_nothing_and_can_be_repeated(project: Project) -> None:
    folder = project.folder / "events"
    folder.mkdir()
    (folder / "a.csv").write_bytes(HEADER + GOOD)
    (folder / "b.csv").write_bytes(HEADER + GOOD + ALSO_GOOD * 1_500_000)
    command = load_command(project.database, folder)
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        for line in load.stdout:
            if "a.csv: 1 rows" in line:
                load.send_signal(signal.SIGKILL)
    assert load.returncode == -signal.SIGKILL
    for table in ("flyer_events", "rejected_lines", "loaded_files"):
        with duckdb.connect(str(project.database)) as connection:
            left = connection.sql(f"select * from information_schema.tables where table_name = '{table}'").fetchall()
            assert not left or connection.sql(f"from raw.{table}").fetchall() == []

    (folder / "b.csv").write_bytes(HEADER + ALSO_GOOD)
    project.load(folder)
    assert project.query(LOADED) == GOOD_ROWS


def test_a_file_without_permission(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD)
    file.chmod(0)
    # root can read every file unless it drops these capabilities
    wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    load = subprocess.run(load_command(project.database, file, *wrapper), cwd=PROJECT, capture_output=True, text=True)
    assert load.returncode == 1
    assert f'Cannot open file "{file}": Permission denied' in load.stdout


def test_gzip_with_another_extension_in_capitals(project: Project) -> None:
    file = project.folder / "EVENTS.CSV.GZ"
    file.write_bytes(gzip.compress(HEADER + GOOD))
    project.load(file)
    assert len(project.query(LOADED)) == 1
