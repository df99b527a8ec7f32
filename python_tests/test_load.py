"""Loading files into DuckDB: formats, invalid input, repeated loads and interrupted loads."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from random import Random
from unittest.mock import ANY

import duckdb
import pytest

from flyer_analytics import generate
from flyer_analytics.load import __main__ as load_command
from flyer_analytics.load.outcome import FAILED, PARTLY_LOADED
from flyer_analytics.load.unpack import zstd
from python_tests.conftest import PROJECT, Project

HEADER = b"timestamp,user_id,event,flyer_id,merchant_id\n"
GOOD = b"2018-10-01T13:00:00-04:00,u1,flyer_open,1,9\n"
ALSO_GOOD = b"2018-10-01T13:00:40-04:00,u2,item_open,1,9\n"
GOOD_ROWS = [("u1", "flyer_open", "1", "9"), ("u2", "item_open", "1", "9")]

LOADED = "select user_id, event, flyer_id, merchant_id from raw.flyer_events order by _source_file, _source_row"
REJECTED = "select line_number, reason, line from raw.rejected_lines order by line_number"


def zipped(content: bytes) -> bytes:
    """Return the content as gzip, the same at any time, since it names tests."""
    return gzip.compress(content, compresslevel=1, mtime=0)


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
        HEADER.replace(b"\n", b"\r\n") + GOOD.replace(b"\n", b"\r") + ALSO_GOOD,
        (HEADER + GOOD + ALSO_GOOD).rstrip(b"\n"),
        b"\xef\xbb\xbf" + HEADER + GOOD + ALSO_GOOD,
        HEADER + b"\n" + GOOD + b"\r\n" + ALSO_GOOD + b"\n\n",
        b'"Timestamp", USER_ID ,"event",flyer_id,merchant_id\n'
        b'"2018-10-01T13:00:00-04:00","u1","flyer_open","1","9"\n2018-10-01T13:00:40-04:00,u2,"item_open",1,9\n',
        b"merchant_id,note,flyer_id,event,user_id,timestamp\n"
        b"9,,1,flyer_open,u1,2018-10-01T13:00:00-04:00\n9,x,1,item_open,u2,2018-10-01T13:00:40-04:00\n",
    ],
    ids=["lf", "crlf", "mixed", "all_endings", "no_last_newline", "bom", "blank_lines", "quoted", "other_columns"],
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


def test_two_fields_of_several_lines_are_one_record(project: Project, file: Path) -> None:
    file.write_bytes(
        b"user_id,timestamp,event,flyer_id,merchant_id\n"
        b'"u\n9",2018-10-01T13:09:00Z,flyer_open,"1\n9",2\nu1,2018-10-01T13:00:00Z,flyer_open,1,9\n'
    )
    project.load(file)
    assert project.query(LOADED) == [("u\n9", "flyer_open", "1\n9", "2"), GOOD_ROWS[0]]


@pytest.mark.parametrize("lines", [100, 101])
def test_a_record_has_at_most_100_lines(project: Project, file: Path, lines: int) -> None:
    user = b"\n".join([b"x"] * lines)
    file.write_bytes(HEADER + GOOD + GOOD.replace(b"u1", b'"' + user + b'"'))
    project.load(file)
    assert project.query("select count(*) from raw.flyer_events") == [(2 if lines == 100 else 1,)]


def test_a_stray_quote_among_very_many_columns(project: Project, file: Path) -> None:
    more = b"".join(b",x%d" % number for number in range(1100))
    file.write_bytes(b"".join(line.strip() + more + b"\n" for line in (HEADER, GOOD, GOOD.replace(b"u1", b'"u2'))))
    assert project.load(file).endswith("Loaded 1 row from 1 file, 1 line rejected")


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
        ("binary.csv", bytes(range(255, -1, -1)) * 20, "has no header: its first line is blank or not"),
        (
            "utf16.csv",
            (HEADER + GOOD).decode().encode("utf-16-le"),
            "has no header: its first line is blank or not",
        ),
        ("text.csv", b"once upon a time\n", "has no column timestamp, user_id, event, flyer_id, merchant_id"),
        ("short.csv", b"timestamp,user_id,event,flyer_id\n", "has no column merchant_id; its columns are: timestamp"),
        ("other.csv", (HEADER + GOOD).replace(b",", b"|"), "has no column timestamp"),
        ("quote.csv", HEADER.replace(b"merchant_id", b'"merchant_id') + GOOD, "has no column timestamp"),
        ("twice.csv", HEADER.replace(b"event", b"user_id,event") + GOOD, "has duplicate column names"),
        ("array.json", b' \n[{"timestamp": "2018-10-01T13:00:00-04:00"}]\n', "is a JSON array"),
        (
            "lines.json",
            b'\xef\xbb\xbf[\n{"timestamp": "x", "user_id": "u", "event": "e"},\n]\n',
            "To convert it: jq -c '.[]'",
        ),
        ("pretty.json", b'{\n"timestamp": "x"\n}\n', "has no line that is a JSON object"),
        ("short.jsonl", b'{"timestamp": "x", "user_id": "u", "flyer_id": 1}\n', "has no column event"),
        ("not.csv.gz", HEADER + GOOD, "is damaged: Not a gzipped file"),
        ("cut.csv.gz", zipped(HEADER + GOOD)[:-9], "is damaged: Compressed file ended before"),
        ("wrong.csv.gz", zipped(HEADER + GOOD)[:-8] + bytes(8), "is damaged: CRC check failed"),
        ("more.csv.gz", zipped(HEADER + GOOD) + b"more", "is damaged: Not a gzipped file"),
        ("cut.csv.zst", zstd.compress(HEADER + GOOD)[:-5], "is damaged: Compressed file ended before"),
        ("not.parquet", HEADER + GOOD, "cannot be read, is it damaged? Invalid Input Error: No magic bytes"),
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
    said = project.load(folder, PARTLY_LOADED)
    assert re.search(f"{folder / name} .*{re.escape(complaint)}", said)
    assert said.endswith("Loaded 2 rows from 2 files, 1 file not loaded")
    assert f"{folder / 'README.txt'}: skipped, unknown file extension" in said
    assert project.query(LOADED) == GOOD_ROWS


def test_a_file_of_a_header_only(project: Project, file: Path) -> None:
    file.write_bytes(HEADER)
    said = project.load(file)
    assert "0 rows, 0 rejected lines" in said
    assert "the models still read the sample" in said


def test_many_damaged_files_keep_no_others_from_loading(project: Project) -> None:
    duckdb.sql(f"copy (select i, hash(i) from range(9000) as t (i)) to '{project.folder}/other.parquet'")
    good = f"{', '.join(f'hash(i)::varchar as {name}' for name in HEADER.decode().strip().split(','))}"
    for number in range(12):
        file = project.folder / f"{number}.parquet"
        duckdb.sql(f"copy (select {good} from range({number} * 9000, {number + 1} * 9000) as t (i)) to '{file}'")
        if number in (3, 4, 11):
            content = bytearray(file.read_bytes())
            content[1000:100_000] = bytes(99_000)
            file.write_bytes(content)
    said = project.load(project.folder / "*.parquet", PARTLY_LOADED)
    assert said.endswith("Loaded 81,000 rows from 9 files, 4 files not loaded")
    for number in (3, 4, 11):
        assert f"{project.folder / f'{number}.parquet'} cannot be read" in said
    assert project.query("select count(*), count(distinct _source_file) from raw.flyer_events") == [(81_000, 9)]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("a.csv.gz", b""), ("a.json", b" \n\n"), ("a.csv.gz", zipped(b""))]
)
def test_an_empty_file_is_an_error_only_if_nothing_else_loads(project: Project, name: str, content: bytes) -> None:
    (project.folder / name).write_bytes(content)
    assert "all files are empty" in project.load(project.folder, FAILED)
    (project.folder / "b.csv").write_bytes(HEADER + GOOD)
    for _ in range(2):
        assert f"{project.folder / name} is empty" in project.load(project.folder)
    assert project.query(LOADED) == GOOD_ROWS[:1]


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/*.csv", "empty_folder"])
def test_nothing_to_load(project: Project, path: str) -> None:
    (project.folder / "empty_folder").mkdir()
    assert f"Nothing to load at '{project.folder / path}'" in project.load(project.folder / path, FAILED)


def test_an_invalid_pattern(project: Project) -> None:
    (project.folder / "[a]").mkdir()
    (project.folder / "[a]" / "a.csv").write_bytes(HEADER + GOOD)
    assert "is not a pattern: bad character range" in project.load(project.folder / "[z-a].csv", FAILED)
    assert project.load(project.folder / "[[]a]" / "?.csv").endswith("Loaded 1 row from 1 file")


def test_an_unknown_extension(project: Project) -> None:
    (project.folder / "events.txt").write_bytes(HEADER + GOOD)
    assert "file names must end in .csv" in project.load(project.folder / "events.txt", FAILED)


def test_parts_of_names_that_begin_with_a_dot_or_underscore_are_left_alone(project: Project) -> None:
    folder = project.folder / "_lake" / ".cache"
    for name in ("day/a.csv", "day/_temporary/0/b.csv", "day/.c.csv.swp", "_d.csv", "day/._e.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(HEADER + GOOD)
    for path in (folder, folder / "**" / "*.csv"):
        said = project.load(path)
        for part in ("day/_temporary", "_d.csv", "day/._e.csv"):
            assert f"{folder / part}: left alone, since its name begins with . or _" in said
        assert project.query("select _source_file from raw.flyer_events") == [(str(folder / "day/a.csv"),)]
    (folder / "_d.csv").write_bytes(HEADER + ALSO_GOOD)
    project.load(folder / "_d.csv")
    assert project.query(LOADED) == GOOD_ROWS[::-1]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", "a"),
        ("**/*.csv", "abcd"),
        ("**", "abcd"),
        ("x/*.csv", "b"),
        ("x/*/*.csv", "c"),
        ("[x]/[!q]/?.csv", "c"),
        ("./x//**/*.csv", "bc"),
        ("x*/b.csv", "bd"),
        ("[^-x]*/b.csv", "bd"),
    ],
)
def test_patterns(project: Project, pattern: str, names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("a.csv", "x/b.csv", "x/y/c.csv", "xx/b.csv")):
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_bytes(HEADER + GOOD.replace(b"u1", b"abcd"[number : number + 1]))
    (project.folder / "x" / "loop").symlink_to(project.folder / "x")
    (project.folder / "_latest").symlink_to(project.folder / "x" / "y")
    monkeypatch.chdir(project.folder)
    for path in (pattern, f"{project.folder}/{pattern}"):
        project.load(path)
        assert project.query("select string_agg(user_id, '' order by user_id) from raw.flyer_events") == [(names,)]


def test_every_file_is_loaded_or_named(project: Project) -> None:
    folder = project.folder / "events"
    (folder / "sub").mkdir(parents=True)
    (folder / "plain.csv").write_bytes(HEADER + GOOD)
    (folder / "a\\b.csv").write_bytes(HEADER + ALSO_GOOD)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.csv")).write_bytes(HEADER + GOOD * 2)
    (folder / "broken.csv").symlink_to(folder / "nowhere")
    (folder / "sub" / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.csv")
    said = project.load(folder, PARTLY_LOADED)
    assert f"{folder}/\\xff.csv: its name is not UTF-8" in said
    assert f"{folder}/broken.csv cannot be read: No such file" in said
    assert f"{folder}/pipe.csv is not a regular file" in said
    assert said.endswith("Loaded 2 rows from 2 files, 3 files not loaded")
    assert project.query(LOADED) == GOOD_ROWS[::-1]


@pytest.mark.parametrize(
    "stray", [b'2018-10-01T13:00:00-04:00,u,flyer_open,1,"\n', b'2018-10-01T13:00:00-04:00,u,flyer_open,1,"9\n']
)
def test_two_stray_quotes_keep_the_rows_between_them(project: Project, file: Path, stray: bytes) -> None:
    file.write_bytes(HEADER + stray + GOOD + ALSO_GOOD + stray + GOOD)
    project.load(file)
    assert project.query(LOADED) == [*GOOD_ROWS, GOOD_ROWS[0]]
    assert [row[:2] for row in project.query(REJECTED)] == [(2, "broken_quotes"), (5, "broken_quotes")]


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
    assert said.endswith("Loaded 5 rows from 5 files, 1 file already loaded")
    assert project.query("select count(distinct user_id), max(flyer_id) from raw.flyer_events") == [(5, "1")]
    project.query("drop schema raw cascade")
    assert project.load(folder / "e[1].csv").endswith("Loaded 1 row from 1 file")
    assert project.query("select user_id from raw.flyer_events") == [("u0",)]


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
    good = row | {"user_id": "u"}
    (project.folder / "events.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(good)}\n")
    duckdb.sql(
        "copy (select 'x' as timestamp, unnest(['u', 'u' || chr(0)]) as user_id, 'e' as event, '1' as flyer_id,"
        f" '9' as merchant_id) to '{project.folder}/events.parquet'"
    )
    for name in ("events.jsonl", "events.parquet"):
        assert "1 row from 1 file, 1 line rejected" in project.load(project.folder / name)
    assert project.query("select distinct reason from raw.rejected_lines") == [("nul_byte",)]


def test_every_format_gives_the_same_rows(project: Project) -> None:
    csv, jsonl = project.folder / "events.csv", project.folder / "events.jsonl"
    for name in ("events.csv", "events.jsonl", "events.parquet"):
        generate.main([str(project.folder / name), "--events", "2000", "--seed", "5"])
    (project.folder / "events.tsv").write_bytes(csv.read_bytes().replace(b",", b"\t"))
    (project.folder / "events2.csv").write_bytes(csv.read_bytes().replace(b",", b";"))
    (project.folder / "events3.csv").write_bytes(re.sub(rb"([^,\n]+)", rb'"\1"', csv.read_bytes()))
    (project.folder / "events.JSON.ZST").write_bytes(zstd.compress(jsonl.read_bytes().replace(b"user_id", b"User_ID")))
    # the same content
    (project.folder / "same.csv").write_bytes(csv.read_bytes().replace(b"\n", b"\r\n"))
    (project.folder / "same.csv.gz").write_bytes(zipped(csv.read_bytes()))
    said = project.load(project.folder)
    assert said.count("skipped, its content is already loaded as") == 2
    assert said.endswith("Loaded 14,000 rows from 7 files, 2 files already loaded")
    assert project.query("""
        select distinct count(*), md5(string_agg(concat_ws('|', "timestamp", user_id, event, flyer_id, merchant_id)
            order by _source_row)) from raw.flyer_events group by _source_file
    """) == [(2000, ANY)]


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


FIRST = b'{"timestamp": "2018-10-01T17:00:00Z", "user_id": "u1", "event": "list_flyers"}'
SECOND = b'{"timestamp": "2018-10-01T17:00:40Z", "user_id": "u2", "event": "list_flyers"}'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("partition=0/flyer-events+0+0000000000.jsonl.gz", zipped(FIRST + b"\n" + SECOND + b"\n")),
        ("partition=0/00000000000000000000.jsonl.gz", zipped(FIRST + b"\n" + SECOND)),
        ("17/flyer-events-1-2018-10-01-17-00-05-8c0f0e3c.jsonl.gz", zipped(FIRST + b"\n") + zipped(SECOND + b"\n")),
    ],
    ids=["Kafka Connect, Confluent", "Kafka Connect, Aiven", "Firehose"],
)
def test_files_that_other_programs_land(project: Project, name: str, content: bytes) -> None:
    """Aiven's connector writes line feeds between messages only, and gzip may have several members."""
    folder = project.folder / "lake" / "flyer-events"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(content)
    project.load(folder)
    assert project.query(LOADED) == [("u1", "list_flyers", None, None), ("u2", "list_flyers", None, None)]


def test_json_keys_in_any_case_and_missing_ones(project: Project) -> None:
    file = project.folder / "events.json"
    file.write_text(
        '{"Timestamp": "t", "USER_ID": "u1", "event": "list_flyers"}\n'
        '{"timestamp": "t", "user_id": "u2", "Event": "item_open"}\n'
    )
    project.load(file)
    assert project.query(LOADED) == [("u1", "list_flyers", None, None), ("u2", "item_open", None, None)]


def test_an_hour_without_flyers_ends_the_view_before_it(project: Project) -> None:
    (project.folder / "h13.jsonl").write_text(
        '{"timestamp": "2018-10-01T17:00:00Z", "user_id": "u", "event": "flyer_open", "flyer_id": 1}\n'
    )
    (project.folder / "h14.jsonl").write_text(
        '{"timestamp": "2018-10-01T17:00:30Z", "user_id": "u", "event": "list_flyers"}\n'
    )
    project.load(project.folder)
    project.dbt("run", "--select", "+int_flyer_views")
    assert project.query("select flyer_id, view_secs, end_reason from intermediate.int_flyer_views") == [
        ("1", 30, "left")
    ]


def test_typed_parquet_columns_become_text(project: Project) -> None:
    file = project.folder / "date=2018-10-01" / "event=other" / "events.parquet"
    file.parent.mkdir(parents=True)
    duckdb.sql(f"""
        set timezone = 'America/Toronto';
        copy (
            select
                timestamptz '2018-10-01 13:00:00-04' as "Timestamp", encode('José') as user_id, 'flyer_open' as event,
                2200::decimal(38, 10) as flyer_id, 2268::double as MERCHANT_ID
        ) to '{file}'
    """)
    project.load(project.folder)
    assert project.query(LOADED) == [("José", "flyer_open", "2200.0000000000", "2268.0")]
    project.dbt("run", "--select", "base_flyer_app__events")
    assert project.query("select event_at::varchar from staging.base_flyer_app__events") == [("2018-10-01 17:00:00",)]


def test_parquet_that_is_no_text(project: Project) -> None:
    file = project.folder / "events.parquet"
    columns = "'x' as timestamp, 'list_flyers' as event, null as merchant_id"
    for value, kind in (
        ("{'a': 1}", "STRUCT(a INTEGER)"),
        ("[1]", "INTEGER[]"),
        ("map {'a': 1}", "MAP(VARCHAR, INTEGER)"),
    ):
        duckdb.sql(f"copy (select {columns}, 'u' as user_id, {value} as flyer_id) to '{file}'")
        assert f"{file} has column flyer_id of type {kind}: write it as" in project.load(file, FAILED)
    duckdb.sql(f"copy (select {columns}, unnest([blob 'u', '\\xFF'::blob]) as user_id, 1 as flyer_id) to '{file}'")
    assert "1 row from 1 file, 1 line rejected" in project.load(file)
    assert [row[:2] for row in project.query(REJECTED)] == [(2, "invalid_utf8")]


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


def test_known_files_are_not_read_and_changed_ones_are(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD)
    project.load(file)
    same = file.stat()
    # Nobody changes a file like this. It shows that the content is not looked at.
    file.write_bytes(HEADER + GOOD.replace(b"u1", b"u2"))
    os.utime(file, ns=(same.st_atime_ns, same.st_mtime_ns))
    assert project.load(file) == "Loaded 0 rows from 0 files, 1 file already loaded"
    os.utime(file)
    assert project.load(file).endswith("Loaded 1 row from 1 file")
    assert [row[0] for row in project.query(LOADED)] == ["u1", "u2"]

    os.utime(file, (1, 1))
    moved = file.with_name("moved.csv")
    shutil.copy(file, moved)
    for said in (project.load(file), project.load(moved)):
        assert f"its content is already loaded as {file}" in said
    assert project.load(project.folder / "*.csv") == "Loaded 0 rows from 0 files, 2 files already loaded"


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_lines_in_pairs_or_another_order_are_other_content(project: Project, ending: str) -> None:
    """DuckDB hashes two columns to the exclusive or of two hashes, which would cancel out."""
    for name, merchants in (("a", "9, 9"), ("b", "7, 7"), ("c", "7, 9"), ("d", "9, 7")):
        columns = "'t' as timestamp, 'u' as user_id, 'favorite' as event, null as flyer_id"
        rows = f"select {columns}, unnest([{merchants}]) as merchant_id"
        duckdb.sql(f"copy ({rows}) to '{project.folder}/{name}.{ending}'")
    assert project.load(project.folder).endswith("Loaded 8 rows from 4 files")


def test_a_database_of_an_earlier_version_gets_the_new_columns(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD)
    project.load(file)
    project.query("alter table raw.loaded_files drop size_bytes; alter table raw.loaded_files drop modified_at")
    assert "its content is already loaded" in project.load(file)
    assert project.load(file) == "Loaded 0 rows from 0 files, 1 file already loaded"


def test_a_rejected_tenth_is_said_and_a_load_without_a_usable_line_fails(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD * 9 + b"bad\n")
    assert "Warning" not in project.load(file)
    file.write_bytes(HEADER + GOOD * 8 + b'bad\nworse\n"\n')
    assert (
        "Warning: 3 of 11 lines rejected, see raw.rejected_lines:\n"
        f"    2 lines too_few_fields, such as line 10 of {file}: bad\n"
        f'    1 line broken_quotes, such as line 12 of {file}: "\n'
    ) in project.load(file)
    file.write_bytes(HEADER + b"bad\n")
    said = project.load(file, FAILED)
    assert (
        f"No line can be read, so nothing was loaded:\n    1 line too_few_fields, such as line 2 of {file}: bad" in said
    )
    assert project.query("select count(*) from raw.rejected_lines") == [(4,)]
    assert project.query("select count(*) from raw.loaded_files") == [(2,)]


def test_nothing_is_lost_whatever_byte_changes(project: Project) -> None:
    """Each line but the header becomes a row or a rejected line, under its number. Quotes may join lines."""
    csv_rows = [f"2018-10-01T13:00:{number}-04:00,u{number},flyer_open,{number},9".encode() for number in range(10, 30)]
    json_rows = [b'{"timestamp": "t", "user_id": "u%d", "event": "e", "flyer_id": %d}' % (n, n) for n in range(10, 30)]
    random = Random(3)
    for ending, header, rows in (("csv", HEADER.strip(), csv_rows), ("json", b"", json_rows)):
        for number in range(200):
            end = random.choice([b"\n", b"\r\n"])
            content = bytearray(end.join(rows))
            place = random.randrange(len(content))
            change = random.choice(
                [b'"', b"\n", b"\r", b",", b"\0", b"\xff", b"\xc3", b"\\", b"{", b" ", random.randbytes(1)]
            )
            content[place : place + random.randrange(2)] = change
            content += end + rows[0].replace(b"10", b"%d" % number)  # no two files have the same content
            (project.folder / f"{number}.{ending}").write_bytes(bytes(header + end + content))
    project.load(project.folder)
    found: dict[str, list[int]] = defaultdict(list)
    for file, line, user in project.query("""
        select _source_file, _source_row, user_id from raw.flyer_events
        union all select file, line_number, null from raw.rejected_lines
    """):
        found[file] += range(line, line + 1 + (user or "").count("\n"))
    assert len(found) == 400
    for file, lines in found.items():
        delivered = enumerate(re.split(rb"\r\n|\n|\r", Path(file).read_bytes()), 1)
        assert sorted(lines) == [number for number, line in delivered if number > 1 and line.strip(b" ")], file


@pytest.mark.usefixtures("built_sample")
def test_own_events_replace_the_sample(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD + ALSO_GOOD)
    project.load(file)
    project.dbt("build", "--exclude-resource-types", "seed", "unit_test")
    assert project.query("select distinct user_id from marts.user_daily_avg_flyer_time order by 1") == [
        ("u1",),
        ("u2",),
    ]


def test_exit_status_and_last_line(project: Project, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(HEADER + GOOD)
    broken = file.with_name("broken.json")
    broken.write_bytes(b"[]")
    for path, status, last_line in (
        (project.folder, 3, "Loaded 1 row from 1 file, 1 file not loaded"),
        (file, 0, "Loaded 0 rows from 0 files, 1 file already loaded"),
        (broken, 1, "Loaded 0 rows from 0 files, 1 file not loaded"),
        (project.folder / "nowhere", 1, "Loaded nothing"),
        (project.folder / ("x" * 300), 1, "Loaded nothing"),
    ):
        assert load_command.main([str(path)]) == status
        assert capsys.readouterr().out.splitlines()[-1] == last_line
    with duckdb.connect(str(project.database)):
        said = subprocess.run(command(project.database, file), cwd=PROJECT, capture_output=True, text=True)
    assert said.returncode == 1
    assert f"{project.database} is in use by process {os.getpid()} (" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("name", ["price$USD.csv", "two words 'é'.csv", "-x.csv", "$(FILE).csv"])
def test_make_load_passes_the_name_as_it_is(tmp_path: Path, name: str) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nfor last; do :; done; echo "$last"\n')
    python.chmod(0o755)
    (tmp_path / ".build").touch()
    made = subprocess.run(
        ["/usr/bin/env", "make", "--silent", "load", f"VENV={tmp_path}", f"FILE={name}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert made.stdout == f"{name}\n", made.stderr


def test_nobody_reads_what_is_said(project: Project, file: Path) -> None:
    file = file.with_name("é日.csv")
    file.write_bytes(HEADER + GOOD)
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    with subprocess.Popen(
        command(project.database, file), cwd=PROJECT, env=ascii_only, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as load:
        assert load.stdout
        assert load.stderr
        load.stdout.close()
        assert load.stderr.read() == b""
    assert load.returncode == 0
    assert project.query(LOADED) == GOOD_ROWS[:1]
    said = subprocess.run(command(project.database, file), cwd=PROJECT, env=ascii_only, capture_output=True)
    assert said.stdout == b"Loaded 0 rows from 0 files, 1 file already loaded\n"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_load_says_so(project: Project, file: Path, sent: signal.Signals) -> None:
    file.write_bytes(HEADER + GOOD * 3_000_000)
    with subprocess.Popen(
        command(project.database, file),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell ignores in the background
    ) as load:
        assert load.stdout
        assert load.stderr
        assert "Reading" in load.stdout.readline()
        time.sleep(0.3)
        load.send_signal(sent)
        assert load.stdout.read().splitlines()[-1:] == [
            "Interrupted: nothing was loaded, unless files are listed above with their rows"
        ]
        assert load.stderr.read() == ""
    assert load.returncode == FAILED
    assert project.query(LOADED) == []


def command(database: Path, path: Path, *wrapper: str) -> list[str]:
    """Return the command that loads ``path`` in a process of its own."""
    return [
        *(*wrapper, "env", f"FLYER_DUCKDB_PATH={database}"),
        *(sys.executable, "-m", "flyer_analytics.load", str(path)),
    ]


def test_a_killed_load_loads_nothing_and_can_be_repeated(project: Project) -> None:
    folder = project.folder / "events"
    folder.mkdir()
    (folder / "a.csv").write_bytes(HEADER + GOOD)
    (folder / "b.csv.gz").write_bytes(zipped(HEADER + ALSO_GOOD * 500_000))
    random = Random(1)
    for _ in range(6):
        with subprocess.Popen(
            command(project.database, folder), cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as load:
            assert load.stdout is not None
            while "Reading" not in (line := load.stdout.readline()):
                assert line, "the load has ended"
            time.sleep(random.random() * 0.3)
            load.send_signal(signal.SIGKILL)
        assert load.returncode == -signal.SIGKILL
        with duckdb.connect(str(project.database)) as connection:
            for table in ("flyer_events", "rejected_lines", "loaded_files"):
                assert connection.sql(f"from raw.{table}").fetchall() == []
    (folder / "b.csv.gz").write_bytes(zipped(HEADER + ALSO_GOOD))
    project.load(folder)
    assert project.query(LOADED) == GOOD_ROWS
    assert [path.name for path in project.folder.glob(".loading-*")] == []


def test_a_file_without_permission(project: Project, file: Path) -> None:
    file.write_bytes(HEADER + GOOD)
    file.with_name("good.csv").write_bytes(HEADER + ALSO_GOOD)
    file.chmod(0)
    # root can read every file unless it drops these capabilities
    wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    arguments = command(project.database, project.folder, *wrapper)
    load = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True)
    assert load.returncode == 3
    assert f"{file} cannot be read: Permission denied" in load.stderr
    assert project.query(LOADED) == GOOD_ROWS[1:]


def test_gzip_with_another_extension_in_capitals(project: Project) -> None:
    file = project.folder / "EVENTS.CSV.GZ"
    file.write_bytes(zipped(HEADER + GOOD))
    project.load(file)
    assert len(project.query(LOADED)) == 1
