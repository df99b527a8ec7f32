"""The published copy: its contents, and that readers never fail, whatever happens to builds."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode
from sqlalchemy import NullPool, create_engine, inspect, text

from flyer_analytics import publish
from flyer_analytics.built import catalog_name
from python_tests.conftest import PROJECT, Project
from tools import examples


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def load_event(project: Project, number: int) -> None:
    """Load a view of ten seconds, by a user of its own."""
    file = project.folder / f"events_{number}.csv"
    file.write_text(
        "timestamp,user_id,event,flyer_id,merchant_id\n"
        f"2018-10-01T13:00:00-04:00,u{number},flyer_open,1,9\n2018-10-01T13:00:10-04:00,u{number},list_flyers,,\n"
    )
    project.load(file)


def change_the_marts(project: Project) -> None:
    """Change both marts as a build could, in less time."""
    for mart in ("merchant_flyer_engagement", "user_daily_avg_flyer_time"):
        project.query(f"update marts.{mart} set views = views + 1")


@pytest.fixture(scope="module")
def built_once(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        project = Project(manifest, tmp_path_factory.mktemp("built"))
        patch.setenv("FLYER_DUCKDB_PATH", str(project.database))
        load_event(project, 1)
        project.dbt("run")
        project.disconnect()
    return project.database


@pytest.fixture
def built(project: Project, built_once: Path) -> Project:
    """A database with a complete build of one view."""
    shutil.copy(built_once, project.database)
    return project


@pytest.fixture
def folder(built: Project) -> Path:
    """The folder of its published copy."""
    assert publish.main() == 0
    return built.folder / "published"


def test_the_copy_is_every_public_model_described(built: Project, folder: Path) -> None:
    marts = [
        node.alias for node in built.manifest.nodes.values() if isinstance(node, ModelNode) and node.access == "public"
    ]
    assert len(marts) >= 2
    assert set(contents(folder)) == {publish.COPY, *(f"{name}.parquet" for name in marts)}
    with duckdb.connect() as both:
        both.execute(f"attach '{built.database}' as built (read_only)")
        both.execute(f"attach '{folder / publish.COPY}' as copy (read_only)")
        tables = both.execute("select schema_name, table_name from duckdb_tables() where database_name = 'copy'")
        assert set(tables.fetchall()) == {("marts", name) for name in marts}
        for name in marts:
            rows = both.execute(f"from built.marts.{name} order by all").fetchall()
            assert rows or name == "merchant_hourly"  # nobody has five readers here
            assert rows == both.execute(f"from copy.marts.{name}").fetchall()
            assert rows == both.execute(f"from '{folder / name}.parquet'").fetchall()
        described = """
            select table_name, null, comment from duckdb_tables()
            where schema_name = 'marts' and database_name = $name
            union all
            select table_name, column_name, comment from duckdb_columns()
            where schema_name = 'marts' and database_name = $name
            order by all
        """
        comments = both.execute(described, {"name": "copy"}).fetchall()
        assert comments == both.execute(described, {"name": "built"}).fetchall()
        assert all(comment for *_, comment in comments)
        version = "select tags['storage_version'] from duckdb_databases() where database_name = 'copy'"
        assert both.execute(version).fetchall() == [("v1.4.0+",)]


def test_bi_tools_see_tables_comments_and_new_rows_through_sqlalchemy(built: Project, folder: Path) -> None:
    # Without a pool, each query opens the file again and sees the newest copy.
    engine = create_engine(f"duckdb:///{folder / publish.COPY}", connect_args={"read_only": True}, poolclass=NullPool)
    row = text("select views, total_view_secs from marts.merchant_flyer_engagement")
    with engine.connect() as connection:
        assert connection.execute(row).one() == (1, 10)
    inspector = inspect(engine)
    assert {"merchant_flyer_engagement", "user_daily_avg_flyer_time"} <= set(inspector.get_table_names("marts"))
    columns = inspector.get_columns("user_daily_avg_flyer_time", "marts")
    assert {column["name"]: str(column["type"]) for column in columns} == {
        "user_id": "VARCHAR",
        "date": "DATE",
        "avg_time_spent_in_secs": "NUMERIC(18, 2)",
        "total_time_spent_in_secs": "NUMERIC(18, 2)",
        "measured_gaps": "BIGINT",
        "avg_view_secs": "NUMERIC(18, 2)",
        "total_view_secs": "NUMERIC(18, 2)",
        "measured_views": "BIGINT",
        "views": "BIGINT",
        "flyers": "BIGINT",
        "sessions": "BIGINT",
    }
    change_the_marts(built)
    assert publish.main() == 0
    with engine.connect() as connection:
        assert connection.execute(row).one() == (2, 10)


MARTS = ["merchant_flyer_daily", "merchant_flyer_engagement", "merchant_hourly", "time_spine_daily"]
MARTS += ["user_daily_avg_flyer_time"]
HOUR = timedelta(hours=1)


def manifest_file() -> Path:
    return Path(os.environ["DBT_TARGET_PATH"], "manifest.json")


def publish_again(built: Project, folder: Path, parquet_every: timedelta = timedelta(0)) -> publish.Published:
    """Publish, and expect files of the same rows as the marts, all of them written only if ``needs_whole`` says so."""
    needs_whole = publish.needs_whole(built.database, manifest_file(), folder)
    published = publish.publish(built.database, manifest_file(), folder, parquet_every=parquet_every)
    assert published.whole == needs_whole
    with duckdb.connect() as both:
        both.execute(f"attach '{built.database}' as built (read_only)")
        both.execute(f"attach '{folder / publish.COPY}' as copy (read_only)")
        for mart in MARTS:
            rows = both.execute(f"from built.marts.{mart} order by all").fetchall()
            assert both.execute(f"from copy.marts.{mart} order by all").fetchall() == rows
            if not parquet_every:
                assert both.execute(f"from '{folder / mart}.parquet' order by all").fetchall() == rows
    return published


def add_days(built: Project, days: int) -> None:
    """Copy the rows of the one date to the days before."""
    for mart in ("merchant_flyer_engagement", "user_daily_avg_flyer_time"):
        earlier = f"select * replace ((date - n::int)::date as date) from marts.{mart}, range(1, {days + 1}) as r(n)"
        built.query(f"insert into marts.{mart} by name select * exclude (n) from ({earlier})")


def test_only_changed_dates_are_replaced(built: Project, folder: Path) -> None:
    add_days(built, 5)
    published = publish_again(built, folder)
    assert {mart: len(days) for mart, days in published.changed.items()} == {
        "merchant_flyer_engagement": 5,
        "user_daily_avg_flyer_time": 5,
    }
    assert published.parquet == ["merchant_flyer_engagement", "user_daily_avg_flyer_time"]

    written = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    published = publish_again(built, folder)
    assert (published.whole, published.changed, published.parquet) == (False, {}, [])
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == written

    users = "marts.user_daily_avg_flyer_time"
    for change in (
        f"update {users} set views = 9 where date = '2018-09-30'",
        f"update {users} set total_view_secs = null where date = '2018-09-29'",
        f"update {users} set flyers = 7, sessions = 8 where date = '2018-09-28'",
        f"delete from {users} where date = '2018-09-27'",
        f"insert into {users} select * replace (date '2019-01-01' as date) from {users} where views = 9",
        "insert into marts.merchant_flyer_engagement"
        " from marts.merchant_flyer_engagement where date = '2018-09-26'",  # a second time
    ):
        built.query(change)
    assert publish_again(built, folder).changed == {
        "merchant_flyer_engagement": [date(2018, 9, 26)],
        "user_daily_avg_flyer_time": [*(date(2018, 9, day) for day in (27, 28, 29, 30)), date(2019, 1, 1)],
    }
    built.query(f"update {users} set flyers = 8, sessions = 7 where date = '2018-09-28'")
    assert publish_again(built, folder).changed == {"user_daily_avg_flyer_time": [date(2018, 9, 28)]}


def plain(value: Any) -> Any:
    """Return a value as every reader can have it: a date as text, a number rounded, None for a null of any kind."""
    if pd.isna(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return round(float(value), 4) if isinstance(value, float | Decimal) else value


def read_in_javascript(file: Path) -> list[dict[str, Any]]:
    node = shutil.which("node")
    assert node, "Node.js is not installed: make test installs it"
    script = PROJECT / "python_tests" / "javascript" / "rows.mjs"
    rows: list[dict[str, Any]] = json.loads(subprocess.check_output([node, script, file]))
    return [{name: value[:10] if name == "date" else value for name, value in row.items()} for row in rows]


@pytest.mark.usefixtures("built_sample")
def test_common_readers_have_the_same_rows(project: Project) -> None:
    assert publish.main() == 0
    readers: list[Callable[[Path], list[dict[str, Any]]]] = [
        lambda file: pl.read_parquet(file).to_dicts(),
        lambda file: pd.read_parquet(file).to_dict("records"),
        lambda file: pyarrow.parquet.read_table(file).to_pylist(),
        read_in_javascript,
    ]
    for mart in MARTS:
        with duckdb.connect(str(project.folder / "published" / publish.COPY), read_only=True) as connection:
            rows = connection.sql(f"from marts.{mart}")
            expected = [dict(zip(rows.columns, map(plain, row), strict=True)) for row in rows.fetchall()]
        assert len(expected) > 10
        for read in readers:
            found = read(project.folder / "published" / f"{mart}.parquet")
            assert [{name: plain(value) for name, value in row.items()} for row in found] == expected


def test_parquet_files_are_written_when_they_are_due(built: Project, folder: Path) -> None:
    before = contents(folder)
    change_the_marts(built)
    assert publish_again(built, folder, parquet_every=HOUR).parquet == []
    assert {name for name, old in before.items() if contents(folder)[name] != old} == {publish.COPY}
    # one is old, and one of the future
    for mart, hours in (("merchant_flyer_engagement", -2), ("user_daily_avg_flyer_time", 2)):
        os.utime(folder / f"{mart}.parquet", times=(time.time() + hours * 3600,) * 2)
    published = publish_again(built, folder, parquet_every=HOUR)
    assert published.changed == {}
    assert published.parquet == ["merchant_flyer_engagement", "user_daily_avg_flyer_time"]
    # one is missing, one is damaged
    (folder / "time_spine_daily.parquet").unlink()
    (folder / "merchant_hourly.parquet").chmod(0o644)
    (folder / "merchant_hourly.parquet").write_bytes(b"damaged")
    assert publish_again(built, folder).parquet == ["merchant_hourly", "time_spine_daily"]


def written_to(sql: str) -> Callable[[Path], None]:
    """Run ``sql`` on the copy, as a tool could if it made the file writable."""

    def write(copy: Path) -> None:
        copy.chmod(0o644)
        with duckdb.connect(str(copy)) as connection:
            connection.execute(sql)

    return write


def without_data(copy: Path) -> None:
    copy.chmod(0o644)
    copy.write_bytes(copy.read_bytes()[:8192])


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        without_data,
        written_to("comment on table marts.merchant_hourly is 'of another version'"),
        written_to("comment on column marts.merchant_hourly.views is null"),
        written_to("alter table marts.merchant_hourly alter views type integer"),
        written_to("alter table marts.merchant_hourly add column more integer"),
        written_to("create table marts.more as select 1 as x"),
        written_to("drop table marts.merchant_hourly"),
    ],
)
def test_a_copy_of_other_tables_is_written_whole(built: Project, folder: Path, change: Callable[[Path], None]) -> None:
    change(folder / publish.COPY)
    published = publish_again(built, folder)
    assert published.whole
    assert published.parquet == MARTS
    assert not publish_again(built, folder).whole


def test_a_damaged_copy_is_written_whole(built: Project, folder: Path) -> None:
    add_days(built, 5)
    publish_again(built, folder)
    copy = folder / publish.COPY
    with duckdb.connect(str(copy), read_only=True) as connection:
        segments = "select max(block_id) from pragma_storage_info('marts.user_daily_avg_flyer_time')"
        [(block,)] = connection.execute(segments).fetchall()
    copy.chmod(0o644)
    with copy.open("r+b") as file:
        file.seek(3 * 4096 + block * 262144 + 100)
        file.write(bytes(range(256)))
    published = publish.publish(built.database, manifest_file(), folder)
    assert published.whole
    assert publish_again(built, folder).changed == {}


def test_rows_are_sorted_again_after_many_changes(
    built: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = "marts.user_daily_avg_flyer_time"
    user_days = "entry.* replace ((date '2020-01-01' + n::int % 3)::date as date, hash(n)::varchar as user_id)"
    built.query(f"insert into {users} select {user_days} from {users} as entry, range(9000) as numbers(n)")
    monkeypatch.setattr(publish, "MOST_RUNS", 3)
    published = []
    for day in (1, 2, 3, 1, 2):
        published.append(publish_again(built, folder).whole)
        built.query(f"update {users} set views = views + 1 where date = '2020-01-0{day}'")
    assert published == [False, False, False, True, False]


def test_a_mart_without_dates_is_replaced_at_once(built: Project, tmp_path: Path) -> None:
    nodes = json.loads(manifest_file().read_text())["nodes"]
    columns = {name: {"name": name, "description": name} for name in ("merchant_id", "views")}
    nodes["model.flyer_analytics.merchants"] = {
        **nodes["model.flyer_analytics.merchant_hourly"],
        "alias": "merchants",
        "columns": columns,
    }
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": nodes}))
    folder = tmp_path / "published"
    built.query("create table marts.merchants as select n::varchar as merchant_id, n as views from range(3) as r(n)")
    assert publish.publish(built.database, manifest, folder).whole
    for sql in ("update marts.merchants set views = 7 where merchant_id = '1'", "delete from marts.merchants"):
        built.query(sql)
        assert publish.publish(built.database, manifest, folder).changed == {"merchants": [None]}
        with duckdb.connect(str(folder / publish.COPY), read_only=True) as copy:
            rows = copy.execute("from marts.merchants order by all").fetchall()
            assert rows == copy.execute(f"from '{folder}/merchants.parquet' order by all").fetchall()
        assert rows == built.query("from marts.merchants order by all")
    assert publish.publish(built.database, manifest, folder).changed == {}


def test_many_publishes_in_one_process_leave_nothing_open(built: Project, folder: Path) -> None:
    opened = set()
    for _ in range(4):
        change_the_marts(built)
        assert publish_again(built, folder, parquet_every=HOUR).changed
        opened.add(len(os.listdir("/dev/fd")))  # noqa: PTH208
    assert len(opened) == 1
    assert publish.publish(built.database, manifest_file(), folder, whole=True).parquet == MARTS


def start_reader(folder: Path, kind: str) -> subprocess.Popen[str]:
    """Start a process that reads until it is told to end, and wait until it has."""
    command = [sys.executable, str(PROJECT / "python_tests/read_in_a_loop.py"), str(folder), kind]
    pipe = subprocess.PIPE
    reader = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert reader.stdout
    reader.stdout.readline()
    return reader


def end(reader: subprocess.Popen[str]) -> tuple[int, int]:
    """Expect that no read has failed, and return the numbers of reads and of states seen."""
    out, errors = reader.communicate("")
    assert reader.returncode == 0, errors
    reads, states = map(int, out.split())
    return reads, states


def test_readers_and_builds_never_fail_each_other(built: Project, folder: Path) -> None:
    readers = [start_reader(folder, kind) for kind in ("query", "session", "parquet")]
    for number in (2, 3):
        load_event(built, number)
        built.dbt("run")
        for whole in (False, False, False, True, False):
            change_the_marts(built)
            assert publish.main(["--whole"] if whole else []) == 0
    for reader in readers:
        reads, states = end(reader)
        assert reads > 5
        assert states > 1


DIE_BEFORE_REPLACING = """
import os, signal, sys
from flyer_analytics import publish

replace, left = os.replace, int(sys.argv[1])

def replace_or_die(*names):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    replace(*names)

os.replace = replace_or_die
publish.main()
"""


@pytest.mark.parametrize("replaced", [0, 1])
def test_a_killed_publish_leaves_complete_files_and_the_next_one_cleans_up(
    built: Project, folder: Path, replaced: int
) -> None:
    before = contents(folder)
    change_the_marts(built)
    died = subprocess.run([sys.executable, "-c", DIE_BEFORE_REPLACING, str(replaced)], cwd=PROJECT)
    assert died.returncode == -signal.SIGKILL
    assert len(set(folder.iterdir())) == len(before) + 1
    assert sum((folder / name).read_bytes() != before[name] for name in before) == replaced
    with duckdb.connect(str(folder / publish.COPY), read_only=True) as copy:
        assert copy.sql("select views from marts.user_daily_avg_flyer_time").fetchall() == [(1 + replaced,)]
    assert publish.main() == 0
    after = contents(folder)
    assert set(after) == set(before)
    changed = {publish.COPY, "merchant_flyer_engagement.parquet", "user_daily_avg_flyer_time.parquet"}
    assert {name for name in before if after[name] != before[name]} == changed


def test_the_wal_of_a_killed_writer_does_not_break_the_next_copy(folder: Path) -> None:
    copy = folder / publish.COPY
    assert not copy.stat().st_mode & 0o222
    copy.chmod(0o644)
    write = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.sql('create table t (x int)'); os._exit(1)"
    subprocess.run([sys.executable, "-c", write, str(copy)])
    assert copy.with_name(f"{publish.COPY}.wal").exists()
    assert publish.main() == 0
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.sql("select count(*) from duckdb_tables() where table_name = 't'").fetchall() == [(0,)]


def test_only_a_complete_build_is_published(built: Project, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuses(because: str, what_helps: str = "make build") -> None:
        built.disconnect()
        assert publish.main() == 1
        said = capsys.readouterr().err
        assert because in said
        assert what_helps in said
        assert contents(folder) == good

    good = contents(folder)
    load_event(built, 2)
    built.query("alter table intermediate.int_flyer_sessions add column unknown int")
    assert not built.try_dbt("run").success
    refuses("has no complete build")

    built.query(
        "delete from staging.stg_flyer_app__events_keyed"
        " where user_key = (select user_key from staging.stg_flyer_app__users where user_id = 'u2')"
    )
    built.disconnect()
    assert publish.main() == 0
    built.query("update staging.build_state set settings = null, completed_to = null")
    good = contents(folder)
    refuses("has no complete build")
    built.query("delete from staging.stg_flyer_app__events_keyed")
    refuses("has no complete build")
    built.query("drop table staging.build_state")
    refuses("has no complete build")
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()",
            str(built.database),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as building:
        assert building.stdout
        building.stdout.readline()
        refuses(f"is in use by process {building.pid}", "Run this again when that has ended")
        building.communicate(b"\n")
    built.database.unlink()
    refuses("does not exist")


@pytest.mark.parametrize(
    ("obstacle", "way_out"),
    [
        (lambda folder: folder.write_text("a file"), "published: File exists. A folder must be there"),
        (
            lambda folder: (folder / publish.COPY).mkdir(parents=True),
            f"published/{publish.COPY}: Is a directory. A file",
        ),
        (
            lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY)),
            "File too large. Raise",
        ),
    ],
    ids=["file", "folder", "limit"],
)
def test_a_hint_fits_what_stops_a_publish(
    built: Project, capsys: pytest.CaptureFixture[str], obstacle: Callable[[Path], object], way_out: str
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        obstacle(built.folder / "published")
        assert publish.main() == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert way_out in said
    assert "make build" not in said


@pytest.mark.parametrize("name", ["my-flyers 2.duckdb", "2018.my.duckdb", ".select"])
def test_a_database_of_any_name_is_read_through_the_published_copy(
    built: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    database = built.database.rename(built.folder / name)
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(database))
    assert publish.main() == 0
    catalog = catalog_name(database)
    query = f'select views from "{catalog}".marts.merchant_flyer_engagement'
    shown = dbtRunner(manifest=built.manifest).invoke(["--quiet", "show", "--target", "published", "--inline", query])
    assert shown.success, shown.exception
    built.disconnect()


@pytest.mark.parametrize("verb", ["build", "publish"])
def test_make_publishes_nothing_when_dbt_fails(built: Project, folder: Path, verb: str) -> None:
    good = contents(folder)
    change_the_marts(built)
    command = f"make --old-file=.venv/.build {verb} DBT=false"
    assert subprocess.run(command, shell=True, cwd=PROJECT).returncode != 0  # noqa: S602
    assert contents(folder) == good


def test_files_of_removed_marts_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old_mart.parquet").touch()
    assert publish.main() == 0
    assert "old_mart.parquet is not a mart any more" in capsys.readouterr().err


@pytest.mark.usefixtures("built")
def test_the_copy_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_PUBLISHED_PATH", str(tmp_path / "srv" / "bi"))
    assert publish.main() == 0
    assert (tmp_path / "srv" / "bi" / publish.COPY).exists()


@pytest.mark.usefixtures("built_sample")
@pytest.mark.parametrize("name", ["README.md", "docs/bi.md"])
def test_outputs_in_the_docs_are_those_of_the_sample(project: Project, name: str) -> None:
    """Those of docs/metrics.md are tested in test_metrics.py."""
    assert publish.main() == 0
    page = (PROJECT / name).read_text(encoding="utf-8")
    assert examples.rewritten(page, project.folder) == page
