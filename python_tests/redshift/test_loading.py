"""Loading from S3 and streams with the real program, adapter and driver, on moto's S3 and the Redshift stand-in."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from moto import mock_aws

from flyer_analytics.dbt_process import Dbt
from flyer_analytics.load.outcome import LoadError, Outcome
from flyer_analytics.load.s3 import load
from flyer_analytics.load.unpack import zstd
from flyer_analytics.stream import loop as loops
from flyer_analytics.stream.lake import Content, open_lake
from flyer_analytics.stream.loop import Loop
from flyer_analytics.stream.memory import Memory
from flyer_analytics.stream.warehouse import Redshift
from tools.redshift_standin.copying import copy_locally
from tools.redshift_standin.standin import Standin
from tools.redshift_standin.tokens import quoted

DATABASE = "loading"
MANIFESTS = "s3://lists/manifests"
# Redshift's log of COPY errors, which COPY writes outside of the transaction, and functions that PostgreSQL lacks.
LOG = """
    create table redshift.sys_load_error_detail (
        query_id bigint, file_name char(256), line_number bigint, error_message char(512)
    );
    create table redshift.sys_load_history (query_id bigint, status text, error_count bigint);
    create sequence redshift.copies;
    grant select on redshift.sys_load_error_detail, redshift.sys_load_history to public;
    create function redshift.pg_last_copy_id() returns bigint security definer language sql as
        $$ select last_value from redshift.copies $$;
    create function redshift.is_utf8(message bytea) returns boolean language plpgsql as
        $$ begin return convert_from(message, 'utf-8') is not null; exception when others then return false; end $$;
    create function redshift.from_varbyte(message bytea, format text) returns text language sql as
        $$ select case format when 'hex' then encode(message, 'hex') else convert_from(message, format) end $$;
    create function redshift.can_json_parse(message bytea) returns boolean language plpgsql as
        $$ begin return convert_from(message, 'utf-8')::json is not null;
        exception when others then return false; end $$;
    create function redshift.json_extract_path_text(line text, key text, null_if_invalid boolean) returns text
        language sql as $$ select coalesce(line::json ->> key, '') $$;
"""


class Warehouse:
    """The stand-in's database, and moto's S3, from which it copies as Redshift does."""

    def __init__(self, standin: Standin, dbt: Dbt, folder: Path) -> None:
        self.standin = standin
        self.dbt = dbt
        self.folder = folder
        self.s3 = boto3.client("s3", region_name="us-east-1")
        for bucket in ("flyers", "lists"):
            self.s3.create_bucket(Bucket=bucket)
        self.errors_kept = 20  # of a slice
        standin.emulate("copy", self._copy)

    def put(self, key: str, body: str | bytes, bucket: str = "flyers") -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def load(self, path: str = "s3://flyers/") -> tuple[Outcome, list[str]]:
        """Load ``path``. Return what came of it, and what was said."""
        said: list[str] = []
        return load(path, self.dbt, MANIFESTS, said.append), said

    def emulate_streams(self) -> None:
        self.standin.emulate("create external schema", lambda _: "select 1")
        self.standin.emulate("create materialized view", lambda _: STREAM)

    def send(self, partition: int, offset: int, message: bytes, read_at: str = "now()") -> None:
        """Let Redshift read another message from the stream."""
        self.query(
            f"insert into \"raw\".flyer_events_stream values ({read_at}, 'flyer-events/{partition}', {offset},"
            f" lpad('{offset}', 128, '0'), decode('{message.hex()}', 'hex'))"
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self.standin.connect(DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def copies(self) -> list[str]:
        return [sql for sql in self.standin.statements_of(DATABASE) if "copy load_copy" in sql]

    def _copy(self, sql: str) -> str:
        """Copy the good lines. Bad lines of CSV and JSON go to the log, as with MAXERROR."""
        copy = self.query("select nextval('redshift.copies')")[0][0]
        columns = re.findall(r'"(\w+)"', sql.split("copy load_copy")[1].split("from")[0])
        manifest = re.findall(r"from 's3://(\w+)/([^']*)'", sql)[0]
        entries = json.loads(self.s3.get_object(Bucket=manifest[0], Key=manifest[1])["Body"].read())["entries"]
        self._write(manifest[0], manifest[1], json.dumps({"entries": entries}).encode())
        for entry in entries:
            bucket, key = entry["url"].removeprefix("s3://").split("/", 1)
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            assert len(body) == entry["meta"]["content_length"]
            if not key.endswith(".parquet"):
                body = self._good_lines(copy, entry["url"], body, columns)
            self._write(bucket, key, body)
        logged = f"from redshift.sys_load_error_detail where query_id = {copy}"
        self.query(f"insert into redshift.sys_load_history select {copy}, 'completed', count(*) {logged}")
        self.query(f"delete {logged} and ctid not in (select ctid {logged} limit {self.errors_kept})")
        buckets = {f"s3://{bucket}": self.folder / bucket for bucket in ("flyers", "lists")}
        return copy_locally(sql, buckets, self.standin._server.folder)

    def _good_lines(self, copy: int, url: str, body: bytes, columns: list[str]) -> bytes:
        lines = self._decompressed(url, body).decode().splitlines()
        delimiter = ";" if ";" in lines[0] else ","
        good = []
        for number, line in enumerate(lines, 1):
            problem = None
            if ".csv" in url:
                fields = len(next(csv.reader([line], delimiter=delimiter)))
                problem = (
                    "Extra column(s) found"
                    if fields > len(columns)
                    else "Delimiter not found"
                    if fields < len(columns)
                    else None
                )
            elif not line.startswith("{"):
                problem = "Invalid JSON"
            if problem and (number > 1 or ".csv" not in url):
                name = quoted(url.encode()[:256].decode())
                self.query(f"insert into redshift.sys_load_error_detail values ({copy}, {name}, {number}, '{problem}')")
            else:
                good.append(line)
        text = ("\n".join(good) + "\n").encode()
        return gzip.compress(text) if url.endswith(".gz") else zstd.compress(text) if url.endswith(".zst") else text

    def _decompressed(self, url: str, body: bytes) -> bytes:
        return gzip.decompress(body) if url.endswith(".gz") else zstd.decompress(body) if url.endswith(".zst") else body

    def _write(self, bucket: str, key: str, body: bytes) -> None:
        file = self.folder / bucket / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


@pytest.fixture(scope="module")
def environment(standin: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        scratch = tmp_path_factory.mktemp("dbt")
        for name, value in {
            "SSL_CERT_FILE": str(standin.ca),
            "FLYER_REDSHIFT_HOST": standin.host,
            "FLYER_REDSHIFT_PORT": str(standin.port),
            "FLYER_REDSHIFT_DATABASE": DATABASE,
            "FLYER_REDSHIFT_USER": standin.user,
            "FLYER_REDSHIFT_PASSWORD": "any",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DBT_TARGET_PATH": str(scratch / "target"),
            "DBT_LOG_PATH": str(scratch / "logs"),
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def dbt(environment: None) -> Dbt:  # noqa: ARG001
    return Dbt("redshift")


@pytest.fixture
def warehouse(standin: Standin, dbt: Dbt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    monkeypatch.setattr(standin, "_emulations", dict(standin._emulations))
    standin.create_database(DATABASE)
    standin.statements.clear()
    with mock_aws():
        made = Warehouse(standin, dbt, tmp_path)
        made.query(LOG)
        yield made
    standin.drop_database(DATABASE)


HEADER = "timestamp,user_id,event,flyer_id,merchant_id\n"
ROW = "2018-10-01T10:00:00-04:00,u{},flyer_open,F1,M1\n"


def test_new_files_are_loaded_once(warehouse: Warehouse) -> None:
    warehouse.put(
        "in/a.csv", 'x,User_ID,event,flyer_id,merchant_id,timestamp\n1,u1,flyer_open,"F,1",,2018-10-01T10:00:00Z\n'
    )
    zipped = gzip.compress((HEADER + ROW.format(2)).encode())
    warehouse.put("in/b.csv.gz", zipped)
    warehouse.put("in/deep/c.jsonl", json.dumps({"User_ID": "u3", "timestamp": "t", "event": "e", "extra": 1}) + "\n")
    warehouse.put("in/e.csv.zst", zstd.compress((HEADER + ROW.format(5)).replace(",", ";").encode()))
    warehouse.put("in/readme.txt", "no events")
    with duckdb.connect() as connection:
        connection.sql("""
            select timestamptz '2018-10-01 10:00:00.5+00' as "timestamp", 'u4'::blob as user_id, 'e' as event,
                7.5::double as flyer_id, 2268::decimal(38, 2) as merchant_id
        """).write_parquet(str(warehouse.folder / "d.parquet"))
    warehouse.put("in/d.parquet", (warehouse.folder / "d.parquet").read_bytes())

    outcome, said = warehouse.load("s3://flyers/in/")
    assert said[0] == "s3://flyers/in/readme.txt: skipped, unknown file extension"
    assert str(outcome) == "Loaded 5 rows from 5 files"

    events = warehouse.query(
        'select "timestamp", user_id, event, flyer_id, merchant_id, _source_file, _source_row'
        ' from "raw".flyer_events order by user_id'
    )
    assert events == [
        ("2018-10-01T10:00:00Z", "u1", "flyer_open", "F,1", "", "s3://flyers/in/a.csv", None),
        ("2018-10-01T10:00:00-04:00", "u2", "flyer_open", "F1", "M1", "s3://flyers/in/b.csv.gz", None),
        ("t", "u3", "e", None, None, "s3://flyers/in/deep/c.jsonl", None),
        ("2018-10-01 10:00:00.5Z", "u4", "e", "7.5", "2268.00", "s3://flyers/in/d.parquet", None),
        ("2018-10-01T10:00:00-04:00", "u5", "flyer_open", "F1", "M1", "s3://flyers/in/e.csv.zst", None),
    ]

    warehouse.put("in/copy.csv.gz", zipped)
    warehouse.put("in/new.csv", HEADER + ROW.format(5) + ROW.format(6))
    outcome, said = warehouse.load("s3://flyers/in/")
    assert "s3://flyers/in/copy.csv.gz: skipped, its content is already loaded as s3://flyers/in/b.csv.gz" in said
    assert str(outcome) == "Loaded 2 rows from 1 file, 6 files already loaded"
    assert warehouse.query('select count(*), count(distinct _loaded_at) from "raw".flyer_events') == [(7, 2)]
    assert warehouse.query('select count(*) from "raw".loaded_files where rows_loaded = 2 and lines_rejected = 0') == [
        (1,)
    ]
    outcome, _ = warehouse.load("s3://flyers/in/")
    assert str(outcome) == "Loaded 0 rows from 0 files, 7 files already loaded"
    assert len(warehouse.copies()) == 6


def test_files_of_the_same_columns_are_one_copy(warehouse: Warehouse) -> None:
    for number in range(5):
        warehouse.put(f"day={number}/é😀.csv", HEADER + ROW.format(number))
    warehouse.load("s3://flyers/**/*.csv")
    assert len(warehouse.copies()) == 1
    source = warehouse.query('select distinct _source_file from "raw".flyer_events')
    assert re.fullmatch(r"s3://lists/manifests/\d{8}T\d{12}-1[.]manifest", source[0][0])
    assert warehouse.query('select count(*), count(rows_loaded) from "raw".loaded_files') == [(5, 0)]
    # a manifest that a load has written can be loaded itself
    warehouse.query('delete from "raw".loaded_files')
    warehouse.load(source[0][0])
    assert warehouse.query('select count(*) from "raw".flyer_events') == [(10,)]


def test_lines_that_cannot_be_parsed_are_kept(warehouse: Warehouse) -> None:
    warehouse.put("bad.csv", HEADER + ROW.format(1) + "only,two\n" + ROW.format(2) + "a,b,c,d,e,f\n")
    warehouse.put("worse.csv", HEADER + "short\n")
    outcome, said = warehouse.load()
    assert str(outcome) == "Loaded 2 rows from 2 files, 3 lines rejected"
    assert outcome.status == 0
    assert "s3://flyers/bad.csv: 2 rejected lines" in said
    assert outcome.warnings() == [
        "Warning: 3 of 5 lines rejected, see raw.rejected_lines:\n"
        "    2 lines Delimiter not found, such as line 3 of s3://flyers/bad.csv\n"
        "    1 line Extra column(s) found, such as line 5 of s3://flyers/bad.csv"
    ]
    rejected = 'select file, line_number, line, reason, _loaded_at = (select max(_loaded_at) from "raw".flyer_events)'
    assert warehouse.query(f'{rejected} from "raw".rejected_lines order by file, line_number') == [
        ("s3://flyers/bad.csv", 3, None, "Delimiter not found", True),
        ("s3://flyers/bad.csv", 5, None, "Extra column(s) found", True),
        ("s3://flyers/worse.csv", 2, None, "Delimiter not found", True),
    ]
    assert warehouse.query('select file, lines_rejected from "raw".loaded_files order by file') == [
        ("s3://flyers/bad.csv", 2),
        ("s3://flyers/worse.csv", 1),
    ]


def test_lines_of_which_redshift_keeps_no_error_are_counted(warehouse: Warehouse) -> None:
    warehouse.errors_kept = 2
    warehouse.put("bad.csv", HEADER + ROW.format(1) + "only,two\n" * 5)
    outcome, _ = warehouse.load()
    assert str(outcome) == "Loaded 1 row from 1 file, 5 lines rejected"
    assert outcome.warnings() == [
        "Warning: 5 of 6 lines rejected, see raw.rejected_lines:\n"
        "    3 lines of which Redshift keeps no error\n"
        "    2 lines Delimiter not found, such as line 3 of s3://flyers/bad.csv"
    ]
    assert warehouse.query('select line_number, reason from "raw".rejected_lines where line_number is null') == [
        (None, "and 3 further lines, of which Redshift keeps no error")
    ]
    assert warehouse.query('select lines_rejected from "raw".loaded_files') == [(5,)]


def test_a_copy_that_redshift_has_not_logged_is_named(warehouse: Warehouse) -> None:
    warehouse.put("bad.csv", HEADER + ROW.format(1) + "only,two\n")
    warehouse.query("create rule unlogged as on insert to redshift.sys_load_history do instead nothing")
    outcome, said = warehouse.load()
    assert str(outcome) == "Loaded 1 row from 1 file, 1 line rejected"
    assert "s3://flyers/bad.csv: Redshift does not say how many lines it rejected, see sys_load_history" in said
    assert warehouse.query('select file, reason from "raw".rejected_lines where line_number is null') == [
        ("s3://flyers/bad.csv", "perhaps further lines: sys_load_history does not have this COPY")
    ]


def test_names_that_need_care(warehouse: Warehouse) -> None:
    """A backslash escapes in Redshift's literals, and the log of errors has 256 bytes of a name."""
    names = ["back\\slash's.csv", f"{'long/' * 60}a.csv"]
    for number, name in enumerate(names):
        warehouse.put(name, HEADER + ROW.format(number) + "only,two\n")
    outcome, said = warehouse.load()
    assert [line for line in said if "1 rejected line" in line] == [
        f"s3://flyers/{name}: 1 rejected line" for name in names
    ]
    assert warehouse.query('select file, lines_rejected from "raw".loaded_files order by file') == [
        (f"s3://flyers/{name}", 1) for name in names
    ]
    outcome, _ = warehouse.load()
    assert outcome.already_loaded == 2


def test_nanoseconds_are_refused(warehouse: Warehouse) -> None:
    with duckdb.connect() as connection:
        columns = ", ".join(f"'1' as {name}" for name in HEADER.strip().split(",")[1:])
        connection.sql(f"select timestamp_ns '2018-10-01 10:00:00' as \"timestamp\", {columns}").write_parquet(
            str(warehouse.folder / "ns.parquet")
        )
    warehouse.put("ns.parquet", (warehouse.folder / "ns.parquet").read_bytes())
    outcome, _ = warehouse.load()
    assert outcome.problems == [
        "s3://flyers/ns.parquet has column timestamp in nanoseconds, which COPY cannot load: write microseconds"
    ]


def test_many_files_are_recorded_in_several_statements(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement of Redshift may have 16 MB. The files beside the first are not in the manifest that is copied."""
    warehouse.put("a.csv", HEADER + ROW.format(1))
    answer = Dbt.answer

    def answer_with_more(dbt: Dbt, operation: str, /, **arguments: Any) -> Any:
        for copy in arguments.get("copies", []):
            copy["files"] += [{"file": f"s3://flyers/{number}", "fingerprint": f"{number}"} for number in range(2500)]
        return answer(dbt, operation, **arguments)

    monkeypatch.setattr(Dbt, "answer", answer_with_more)
    warehouse.load()
    assert warehouse.query('select count(*), count(distinct _loaded_at) from "raw".loaded_files') == [(2501, 1)]
    statements = [sql for sql in warehouse.standin.statements_of(DATABASE) if 'insert into "raw".loaded_files' in sql]
    assert len(statements) == 3


def test_a_load_without_a_line_that_can_be_parsed_is_an_error(warehouse: Warehouse) -> None:
    warehouse.put("bad.csv", HEADER + "only,two\n")
    with pytest.raises(LoadError, match="No line can be read, so nothing was loaded:\n    1 line Delimiter not found"):
        warehouse.load()
    for table in ("flyer_events", "rejected_lines", "loaded_files"):
        assert warehouse.query(f'select count(*) from "raw".{table}') == [(0,)]


def test_files_that_cannot_be_loaded_are_reported_after_the_others_are_loaded(warehouse: Warehouse) -> None:
    with duckdb.connect() as connection:
        connection.sql(
            f"select {{'a': 1}} as x, {', '.join(f'1 as {name}' for name in HEADER.strip().split(','))}"
        ).write_parquet(str(warehouse.folder / "nested.parquet"))
    warehouse.put("good.csv", HEADER + ROW.format(1))
    warehouse.put("_temporary/part.csv", HEADER + ROW.format(2))
    warehouse.put("array.json", '[\n{"user_id": "u"}\n]')
    warehouse.put("empty.csv.gz", "")
    warehouse.put("nested.parquet", (warehouse.folder / "nested.parquet").read_bytes())
    warehouse.put("short.csv", "timestamp,user_id\n")
    warehouse.put("twice.csv", HEADER.strip() + ",event\n")
    warehouse.put("no.csv.gz", "not gzip")
    warehouse.put("no.parquet", "not parquet, but long enough to have an end")
    outcome, said = warehouse.load()
    assert said[:2] == [
        "s3://flyers/_temporary: left alone, since its name begins with . or _",
        "s3://flyers/empty.csv.gz is empty",
    ]
    assert outcome.problems == [
        "s3://flyers/array.json is a JSON array, not one JSON object per line. To convert it: jq -c '.[]'",
        "s3://flyers/nested.parquet has column x of type STRUCT(a INTEGER), which COPY cannot load: remove it",
        "s3://flyers/no.csv.gz is damaged: Not a gzipped file (b'no')",
        "s3://flyers/no.parquet is not a Parquet file",
        "s3://flyers/short.csv has no column event, flyer_id, merchant_id; its columns are: timestamp, user_id",
        "s3://flyers/twice.csv has duplicate column names; its columns are: timestamp, user_id, event,"
        " flyer_id, merchant_id, event",
    ]
    assert str(outcome) == "Loaded 1 row from 1 file, 6 files not loaded"
    assert outcome.status == 3
    assert warehouse.query('select count(*) from "raw".flyer_events') == [(1,)]


def test_damaged_files_keep_no_others_from_loading(warehouse: Warehouse) -> None:
    zipped = gzip.compress((HEADER + "".join(ROW.format(number) for number in range(10_000))).encode())
    with duckdb.connect() as connection:
        rows = ", ".join(f"hash(i)::varchar as {name}" for name in HEADER.strip().split(","))
        connection.sql(f"select {rows} from range(10000) as numbers (i)").write_parquet(
            str(warehouse.folder / "d.parquet")
        )
    parquet = bytearray((warehouse.folder / "d.parquet").read_bytes())
    parquet[1000:50_000] = bytes(49_000)
    warehouse.put("bad.parquet", bytes(parquet))
    warehouse.put("cut.csv.gz", zipped[:-20])
    warehouse.put("good.csv", HEADER + ROW.format(1))
    copy = warehouse._copy
    # Redshift's message names no file.
    warehouse.standin.emulate(
        "copy", lambda sql: copy(sql) if ".csv.gz" not in _sources(warehouse, sql) else "select 1 / 0"
    )
    outcome, said = warehouse.load()
    assert re.fullmatch(r"COPY failed; looking for damaged files in [0-9.]+ MB", said[0])
    assert [problem.split(":")[1] for problem in outcome.problems] == [
        "//flyers/bad.parquet is damaged",
        "//flyers/cut.csv.gz is damaged",
    ]
    assert warehouse.query('select count(*) from "raw".flyer_events') == [(1,)]


def _sources(warehouse: Warehouse, copy: str) -> str:
    """Return the names in the manifest of a COPY."""
    bucket, key = re.findall(r"from 's3://(\w+)/([^']*)'", copy)[0]
    return str(warehouse.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("events/*.csv", "events/[*].csv is not in S3"),
        ("s3://flyers/none/", "Nothing to load at s3://flyers/none/: no object with this key"),
        ("s3://flyers/broken.manifest", "s3://flyers/broken.manifest is not a manifest of COPY"),
        ("s3://flyers/gone.manifest", "s3://flyers/gone.csv cannot be read: "),
        ("s3://flyers/readme.txt", "Nothing to load at 's3://flyers/readme.txt': file names must end in .csv"),
    ],
)
def test_a_path_without_files_is_an_error(warehouse: Warehouse, path: str, message: str) -> None:
    warehouse.put("readme.txt", "no events")
    warehouse.put("broken.manifest", "{}")
    warehouse.put("gone.manifest", '{"entries": [{"url": "s3://flyers/gone.csv"}]}')
    with pytest.raises(LoadError, match=message):
        warehouse.load(path)


def test_a_failed_copy_loads_nothing(warehouse: Warehouse) -> None:
    warehouse.put("a.csv", HEADER + ROW.format(1))
    warehouse.put("b.jsonl", '{"user_id": "u2"}\n')
    copy = warehouse._copy
    warehouse.standin.emulate("copy", lambda sql: copy(sql) if "csv" in sql else "select 1 / 0")
    with pytest.raises(LoadError, match="division by zero"):
        warehouse.load()
    assert warehouse.query('select count(*) from "raw".flyer_events') == [(0,)]
    assert warehouse.query('select count(*) from "raw".loaded_files') == [(0,)]


def test_a_file_that_another_load_has_just_loaded_stops_the_load(warehouse: Warehouse) -> None:
    warehouse.put("a.csv", HEADER + ROW.format(1))
    warehouse.load()
    copies = [
        {"files": [{"file": "s3://flyers/a.csv", "fingerprint": fingerprint}]}
        for (fingerprint,) in warehouse.query('select fingerprint from "raw".loaded_files')
    ]
    with pytest.raises(LoadError, match=r"has loaded s3://flyers/a[.]csv in the meantime; this load has loaded"):
        warehouse.dbt.operation("load_events", copies=copies)
    with pytest.raises(LoadError, match=r"Load with: python -m flyer_analytics[.]load s3://flyers/"):
        warehouse.dbt.operation("load_events", path="s3://flyers/")


TOPIC = {"source": "msk", "name": "flyer-events", "cluster_arn": "arn:aws:kafka:us-east-1:1:cluster/flyers/1"}
# Stands for the materialized view that create_stream creates.
STREAM = """
    create table "raw".flyer_events_stream (
        refresh_time timestamp, _source_file varchar, _source_row bigint, stream_position varchar, message bytea
    )
"""


def test_each_message_of_a_stream_is_loaded_once(warehouse: Warehouse) -> None:
    dbt = warehouse.dbt
    warehouse.emulate_streams()
    assert dbt.operation("create_stream", **TOPIC) == [
        "Created raw.flyer_events_stream, which follows flyer-events; load_stream reads it"
    ]
    assert "exists already" in dbt.operation("create_stream", **TOPIC)[0]

    event = {"timestamp": "2018-10-01T10:00:00Z", "user_id": "u", "event": "favorite", "merchant_id": 2268}
    for offset in (8, 9, 10):
        warehouse.send(0, offset, json.dumps(event).encode())
    bad = {
        0: b"[]",
        1: b"\xff\xfe",
        5: b"\xf3\x89\x9a\xc2\x0a\x01u",
        2: b'{"user_id": "\\u0000"}',
        3: b'{"user_id": "' + b"x" * 65535 + b'"}',
        4: b"{",
    }
    for offset, message in bad.items():
        warehouse.send(1, offset, message)
    assert dbt.operation("load_stream") == [
        "Loaded 3 rows from the stream; 6 messages could not be parsed, see raw.rejected_lines"
    ]
    rows = (
        'select "timestamp", user_id, event, flyer_id, merchant_id, _source_file, _source_row from "raw".flyer_events'
    )
    assert warehouse.query(f"{rows} order by _source_row") == [
        ("2018-10-01T10:00:00Z", "u", "favorite", None, "2268", "flyer-events/0", offset) for offset in (8, 9, 10)
    ]
    assert warehouse.query(
        'select line_number, left(line, 10), reason from "raw".rejected_lines order by line_number'
    ) == [
        (0, "[]", "not_a_json_object"),
        (1, "fffe", "not_utf8"),
        (2, '{"user_id"', "nul_byte"),
        (3, b'{"use'.hex(), "too_long"),
        (4, "{", "not_a_json_object"),
        (5, "f3899ac20a", "aggregated_records"),
    ]

    assert dbt.operation("load_stream") == ["Loaded 0 rows from the stream"]
    warehouse.send(0, 100, json.dumps(event).encode())
    warehouse.send(2, 0, json.dumps(event).encode())
    assert dbt.operation("load_stream") == ["Loaded 2 rows from the stream"]
    assert warehouse.query('select count(*), count(distinct _loaded_at) from "raw".flyer_events') == [(5, 2)]
    assert warehouse.query(
        'select count(*) from "raw".flyer_events where _loaded_at = (select max(_loaded_at) from "raw".loaded_files)'
    ) == [(2,)]


def test_a_load_of_a_stream_reads_what_is_new(warehouse: Warehouse) -> None:
    """A refresh of the view that was under way during the last load has a later time than what that load had read."""
    dbt, event = warehouse.dbt, json.dumps({"timestamp": "t", "user_id": "u", "event": "favorite"}).encode()
    warehouse.emulate_streams()
    dbt.operation("create_stream", source="kinesis", name="flyer-events")
    for offset, read_at in ((1, "2018-10-01 10:00:00"), (2, "2018-10-01 11:00:00")):
        warehouse.send(0, offset, event, f"'{read_at}'")
    assert dbt.operation("load_stream") == ["Loaded 2 rows from the stream"]
    # of the same refresh, of the next, and of a clock that is a little behind
    for partition, read_at in ((0, "11:00:00"), (1, "11:30:00"), (2, "10:59:59")):
        warehouse.send(partition, 3, event, f"'2018-10-01 {read_at}'")
    assert dbt.operation("load_stream") == ["Loaded 3 rows from the stream"]
    warehouse.standin.statements.clear()
    assert dbt.operation("load_stream") == ["Loaded 0 rows from the stream"]
    reads = [sql for sql in warehouse.standin.statements_of(DATABASE) if '"raw".flyer_events_stream' in sql]
    assert reads
    for sql in reads:
        assert "refresh_time >= cast('2018-10-01 10:30:00" in sql, sql


def test_a_view_that_is_created_again_needs_to_know_the_topic(warehouse: Warehouse) -> None:
    dbt, event = warehouse.dbt, json.dumps({"timestamp": "t", "user_id": "u", "event": "favorite"}).encode()
    warehouse.emulate_streams()
    dbt.operation("create_stream", **TOPIC)
    for partition, offset in ((0, 1200), (1, 7)):
        warehouse.send(partition, offset, event)
    dbt.operation("load_stream")
    before = warehouse.query('select * from "raw".loaded_files')
    warehouse.query('drop table "raw".flyer_events_stream')
    with pytest.raises(LoadError, match=r"Messages of flyer-events are loaded already[.] Add is_new_topic: false"):
        dbt.operation("create_stream", **TOPIC)

    dbt.operation("create_stream", **TOPIC, is_new_topic=False)
    warehouse.send(0, 0, event)
    with pytest.raises(LoadError, match="has read position 0 of flyer-events/0, but messages up to 1200 are loaded"):
        dbt.operation("load_stream")
    assert warehouse.query('select * from "raw".loaded_files') == before
    for offset in (1200, 1201):
        warehouse.send(0, offset, event)
    assert dbt.operation("load_stream") == ["Loaded 1 rows from the stream"]
    warehouse.send(1, 7, event)  # the view catches up, one partition after the other
    assert dbt.operation("load_stream") == ["Loaded 0 rows from the stream"]

    # A new topic is loaded from its beginning, also if it has grown beyond the old one, or a partition is empty first.
    warehouse.query('drop table "raw".flyer_events_stream')
    dbt.operation("create_stream", **TOPIC, is_new_topic=True)
    for offset in (0, 1300):
        warehouse.send(0, offset, event)
    assert dbt.operation("load_stream") == ["Loaded 2 rows from the stream"]
    for partition, offset in ((0, 1301), (1, 0)):
        warehouse.send(partition, offset, event)
    assert dbt.operation("load_stream") == ["Loaded 2 rows from the stream"]
    assert warehouse.query('select count(*), count(distinct fingerprint) from "raw".loaded_files') == [(6, 6)]


@pytest.mark.parametrize("newest", [3, 1300])
def test_a_topic_that_begins_anew_in_the_same_view_is_an_error(warehouse: Warehouse, newest: int) -> None:
    dbt, event = warehouse.dbt, json.dumps({"timestamp": "t", "user_id": "u", "event": "favorite"}).encode()
    warehouse.emulate_streams()
    dbt.operation("create_stream", **TOPIC)
    warehouse.send(0, 1200, event, "'2018-10-01 10:00:00'")
    dbt.operation("load_stream")
    for offset in (2, newest):
        warehouse.send(0, offset, event, "'2018-10-01 10:00:20'")
    with pytest.raises(LoadError, match="has read position 2 of flyer-events/0, but messages up to 1200 are loaded"):
        dbt.operation("load_stream")
    assert warehouse.query('select count(*) from "raw".flyer_events') == [(1,)]


def test_a_view_of_an_earlier_version_is_an_error(warehouse: Warehouse) -> None:
    warehouse.emulate_streams()
    warehouse.dbt.operation("create_stream", source="kinesis", name="flyer-events")
    warehouse.query('alter table "raw".flyer_events_stream drop column refresh_time')
    with pytest.raises(LoadError, match=r"created by an earlier version[.] To replace it, drop materialized view"):
        warehouse.dbt.operation("load_stream")


def test_a_missing_stream_is_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(LoadError, match=r"raw[.]flyer_events_stream does not exist in loading: create it"):
        warehouse.dbt.operation("load_stream")


@pytest.mark.parametrize("source", ["lake", "stream"])
def test_the_loop_loads_and_builds(
    warehouse: Warehouse, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loops, "TOUCHED", ("run", "--select", "+int_flyer_days_to_rebuild"))
    monkeypatch.setenv("FLYER_S3_MANIFESTS", MANIFESTS)
    monkeypatch.setenv("FLYER_TEST_SCOPE", "all")  # the loop sets it
    assert warehouse.dbt.invoke("seed").success
    event = json.dumps({"timestamp": "2018-10-01T10:00:00Z", "user_id": "u", "event": "favorite"})
    lake = open_lake("s3://flyers/lake") if source == "lake" else None
    if lake:
        lake.create("flyer-events", 0, 0, Content(1, 0, 0, 2, None).packed(f"{event}\n[1]\n".encode()))
        lake.create("flyer-events", 1, 0, Content(0, 0, 0, 1, None).packed(b"[2]\n"))
    else:
        warehouse.emulate_streams()
        warehouse.dbt.operation("create_stream", source="kinesis", name="flyer-events")
        for offset, message in enumerate([event.encode(), b"[1]", b"[2]"]):
            warehouse.send(0, offset, message)

    def start() -> Loop:
        memory = Memory.of(warehouse.dbt.manifest, tmp_path / "loop.json")
        memory.record((name, 0.1, True) for name in memory.tests)
        return Loop(warehouse.dbt, Redshift(warehouse.dbt), lake, memory, tmp_path / "status.jsonl")

    loop = start()
    assert loop.turn()
    [status] = [json.loads(line) for line in (tmp_path / "status.jsonl").read_text().splitlines()]
    assert (status["events"], status["rejected"], status["published"], status["problem"]) == (1, 2, True, None)
    assert warehouse.query("select count(*) from staging.stg_flyer_app__events_keyed") == [(1,)]
    assert not loop.turn()
    restarted = start()
    restarted.begin()
    assert restarted.waiting() == []
