"""The stand-in itself: what the unmodified driver receives from it, and that it leaves nothing behind."""

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector
from redshift_connector.error import ProgrammingError

from tools.redshift_standin.standin import RefusedError, Standin

PROJECT = Path(__file__).parents[2]


class Session:
    """A connection of the driver, in autocommit as dbt uses it."""

    def __init__(self, standin: Standin, database: str) -> None:
        self._connection = redshift_connector.connect(
            host=standin.host, port=standin.port, database=database, user=standin.user, password="any",  # noqa: S106
            sslmode="verify-full",
        )  # fmt: skip
        self._connection.autocommit = True

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def fails(self, sql: str) -> str:
        with pytest.raises(ProgrammingError) as caught:
            self.run(sql)
        return str(caught.value.args[0]["M"])

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def session(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("SSL_CERT_FILE", str(standin.ca))
    standin.create_database("standin")
    opened = Session(standin, "standin")
    yield opened
    opened.close()
    standin.drop_database("standin")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # AWS: enable_numeric_rounding is off
        ("cast(1.999 as numeric(4, 2))::varchar", "1.99"),
        ("cast(-1.999 as numeric(18, 2))::varchar", "-1.99"),
        ("cast(2.9::numeric as integer)", 2),
        ("round(1.999, 2)::numeric(4, 2)::varchar", "2.00"),
        ("7 / 2", 3),
        ("avg(n)", 1),
        ("avg(n::bigint)", 1),
        ("sum(n::bigint) / 2", 1),
        ("datediff(year, '2019-12-31'::date, '2020-01-01'::date)", 1),
        ("datediff(hour, '2020-01-01 00:59:59'::timestamp, '2020-01-01 01:00:00'::timestamp)", 1),
        ("datediff(microsecond, '1969-12-31 23:59:59'::timestamp, '1970-01-01 00:00:00.000001'::timestamp)", 1000001),
        ("dateadd(day, 1, '2020-02-28'::date)::varchar", "2020-02-29 00:00:00"),
        ("dateadd(month, 1, '2020-01-31'::timestamp)::varchar", "2020-02-29 00:00:00"),
        ("convert_timezone('America/Toronto', '2018-07-01'::timestamp)::varchar", "2018-06-30 20:00:00"),
        ("regexp_substr('abc', '[0-9]+')", ""),
        ("'a\\\\b'", "a\\b"),
        ("len('é')", 1),
        ("nvl(null, 'x')", "x"),
        ("nvl2(null::integer, 'x', 'y')", "y"),
        ("listagg(n::varchar, '-') within group (order by n desc)", "2-1"),
        ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ],
)
def test_values_equal_redshifts(session: Session, expression: str, value: object) -> None:
    assert session.run(f"select distinct {expression} from (select 1 as n union all select 2) as t") == [(value,)]


def test_windows_ignore_nulls(session: Session) -> None:
    assert session.run(
        "select first_value(v ignore nulls) over (order by n rows between unbounded preceding and current row),"
        " last_value(v ignore nulls) over (order by n rows between unbounded preceding and current row),"
        " last_value(v ignore nulls) over (order by n rows between 1 preceding and current row)"
        " from (select 1 as n, null as v union all select 2, 'a' union all select 3, null union all select 4, null"
        " union all select 5, 'b') as t order by n"
    ) == [(None, None, None), ("a", "a", "a"), ("a", "a", "a"), ("a", "a", None), ("a", "b", "b")]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select true::varchar", "cannot cast type boolean to character varying"),
        ("select 'true'::varchar(4)::boolean", "cannot cast type character varying to boolean"),
        ("select array_agg(1)", "Redshift has no array_agg"),
        ("create temp table t distkey(b) as select 1 as a", "keys_checked.b does not exist"),
        ("create table t (a integer)", "permission denied for schema redshift"),
        ("select datediff(week, getdate(), getdate())", 'does not support datepart "week"'),
        ("select epoch_us(getdate())", "function epoch_us"),
        ("copy t from 's3://nowhere/x' iam_role default csv", "'s3://nowhere/x' does not exist"),
        ("unload ('select 1') to 's3://b/x' iam_role default", "syntax error"),
    ],
)
def test_refused_statements_are_database_errors(session: Session, sql: str, message: str) -> None:
    assert message in session.fails(sql)
    assert session.run("select 1") == [(1,)]


def test_transactions(session: Session) -> None:
    session.run("create schema s")
    session.run("begin")
    session.run("create table s.t (a integer)")
    session.fails("select array_agg(1)")
    session.run("rollback")
    assert "does not exist" in session.fails("select * from s.t")


def test_statements_are_recorded_as_they_were_sent(standin: Standin, session: Session) -> None:
    sql = 'select "A", datediff(day, b, b) from (select 1 as a, getdate() as b) as t'
    session.run(sql)
    assert standin.statements_of("standin")[-1] == sql


def test_an_emulation(standin: Standin, session: Session) -> None:
    def answer(sql: str) -> str:
        if "nowhere" in sql:
            raise RefusedError("nowhere does not exist")
        return "select 'emulated'"

    standin.emulate("create external schema", answer)
    assert session.run("/* dbt */ Create External Schema s from kafka") == [("emulated",)]
    assert session.fails("create external schema nowhere") == "nowhere does not exist"


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "json", "json.gz", "parquet"])
def test_copy_reads_a_folder_instead_of_a_bucket(standin: Standin, session: Session, tmp_path: Path, kind: str) -> None:
    rows: list[tuple[str | None, int]] = [('a, "b"\n\tc\\', 1), ("é", 2)]
    file = tmp_path / "in" / f"events.{kind}"
    file.parent.mkdir()
    names = [("text", "varchar"), ("number", "integer")]
    if kind == "parquet":
        with duckdb.connect() as connection:
            connection.execute("create table t (text varchar, number integer)")
            connection.executemany("insert into t values (?, ?)", rows)
            connection.execute(f"copy t to '{file}'")
    else:
        content = {
            "csv": 'text,number\n"a, ""b""\n\tc\\",1\né,2\n',
            "json": '{"text": "a, \\"b\\"\\n\\tc\\\\", "number": 1, "more": []}\n{"number": 2, "Text": "é"}\n',
        }[kind.removesuffix(".gz")]
        with gzip.open(file, "wb") if kind.endswith(".gz") else file.open("wb") as out:
            out.write(content.encode())
    standin.buckets["s3://bucket"] = tmp_path
    columns = ", ".join(f"{name} {type_}" for name, type_ in names)
    session.run("create schema s")
    session.run(f"create table s.t ({columns})")
    options = {"csv": "csv ignoreheader 1", "json": "json 'auto ignorecase'", "parquet": "format as parquet"}[
        kind.split(".")[0]
    ]
    options += " gzip" if kind.endswith(".gz") else ""
    copy = f'copy "standin"."s".t (text, number) from \'s3://bucket/in/ev\' iam_role default {options};'
    session.run("begin")
    session.run(copy)
    session.run("rollback")
    assert session.run("select * from s.t") == []
    session.run(copy)
    assert session.run("select pg_last_copy_count()") == [(2,)]
    assert session.run("select text, number from s.t order by number") == rows


# ---------- start and end

PROGRAM = """
import sys, time
from tools.redshift_standin.standin import Standin
with Standin() as standin:
    standin.create_database("one")
    print(standin._server.folder, flush=True)
    sys.stdin.read()
"""


def start(*prefix: str) -> tuple[subprocess.Popen[str], Path]:
    command = [*prefix, sys.executable, "-c", PROGRAM]
    program = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout
    folder = Path(program.stdout.readline().strip())
    assert folder.name.startswith("redshift-"), "the stand-in did not start"
    return program, folder


def as_ordinary_user() -> tuple[str, ...]:
    """Return a prefix that runs a command as another user than root. Skips if no other user can run this Python."""
    if os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*prefix, sys.executable, "-c", "import psycopg2"], cwd=PROJECT).returncode:
        pytest.skip(f"only root can run {sys.executable}")
    return prefix


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of processes that were started with ``folder``."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(command.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # the process has ended
    return [command for command in found if str(folder) in command]


def assert_gone(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while (folder.exists() or processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert processes_in(folder) == []


def test_two_standins_leave_nothing_behind_even_if_killed() -> None:
    """One runs as the user of the tests, maybe root, the other as an ordinary user."""
    (ended, first), (killed, second) = start(), start(*as_ordinary_user())
    assert processes_in(first)
    assert processes_in(second)

    killed.kill()
    killed.wait()
    assert_gone(second)
    assert processes_in(first)

    ended.communicate()
    assert ended.returncode == 0
    assert_gone(first)
