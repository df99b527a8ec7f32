"""Lakes in a folder and in S3 (moto): both keep the same promises."""

import errno
import gzip
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from flyer_analytics.stream import lake as lakes
from flyer_analytics.stream.kafka import SettingError
from flyer_analytics.stream.lake import Content, FolderStore, Lake, LakeError, S3Store, TakenError, open_lake

TOPIC = "flyer-events"


def content(last_offset: int, messages: int = 1) -> Content:
    return Content(last_offset, 1_538_402_400_000, 1_538_402_401_500, messages, "Q1w2-E3r4_T5y6U7i8O9pA")


def put(lake: Lake, first_offset: int, last_offset: int, partition: int = 0, lines: bytes = b"{}\n") -> None:
    lake.create(TOPIC, partition, first_offset, content(last_offset).packed(lines))


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return open_lake(str(tmp_path / "lake"))
    request.getfixturevalue("s3")
    lake = open_lake(f"s3://{uuid4()}/some/lake/")
    store(lake).client.create_bucket(Bucket=store(lake).bucket)
    return lake


@pytest.fixture
def folder(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path))


def store(lake: Lake) -> S3Store:
    assert isinstance(lake.store, S3Store)
    return lake.store


def put_foreign(lake: Lake, name: str, body: bytes = b"") -> None:
    """Write something beside the objects of partition 0."""
    if isinstance(lake.store, FolderStore):
        path = lake.store.root / TOPIC / "partition=00000" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    else:
        key = f"some/lake/{TOPIC}/partition=00000/{name}"
        store(lake).client.put_object(Bucket=store(lake).bucket, Key=key, Body=body)


def test_an_object_is_found_with_what_its_header_says(lake: Lake) -> None:
    assert lake.partitions(TOPIC) == [] and lake.last(TOPIC, 0) is None
    put(lake, 0, 41)
    put(lake, 42, 99, lines=b'{"a":1}\n')
    put(lake, 0, 7, partition=12)
    assert lake.partitions(TOPIC) == [0, 12]
    assert [entry.first_offset for entry in lake.new_entries(TOPIC, {0: 42, 12: 8})] == [42]
    assert [(entry.partition, entry.first_offset) for entry in lake.new_entries(TOPIC, {})] == [
        (0, 0),
        (0, 42),
        (12, 0),
    ]
    found = lake.last(TOPIC, 0)
    assert found is not None
    assert (found.topic, found.partition, found.first_offset, found.last_offset, found.next_offset) == (
        *(TOPIC, 0, 42, 99, 100),
    )
    assert (found.oldest, found.newest) == (
        datetime(2018, 10, 1, 14, tzinfo=UTC),
        datetime(2018, 10, 1, 14, 0, 1, 500000, tzinfo=UTC),
    )
    assert (found.messages, found.topic_id) == (1, "Q1w2-E3r4_T5y6U7i8O9pA")
    assert found.name.endswith(f"/{TOPIC}/partition=00000/00000000000000000042.jsonl.gz")
    assert found.size == len(content(99).packed(b'{"a":1}\n'))


def test_a_name_is_given_once(lake: Lake) -> None:
    put(lake, 0, 5, lines=b"first\n")
    with pytest.raises(TakenError, match=r"partition=00000/0{20}[.]jsonl[.]gz exists already"):
        put(lake, 0, 9, lines=b"second\n")
    last = lake.last(TOPIC, 0)
    assert last and last.last_offset == 5


def test_files_of_others_are_left_alone(lake: Lake) -> None:
    for name in (
        "README.txt",
        "5.jsonl.gz",
        "00000000000000000007.csv",
        ".landing-x",
        "_SUCCESS",
        "0000000000000000000\u0661.jsonl.gz",
    ):
        put_foreign(lake, name)
    assert lake.last(TOPIC, 0) is None and lake.new_entries(TOPIC, {}) == []
    put(lake, 0, 5)
    last = lake.last(TOPIC, 0)
    assert last and last.last_offset == 5
    assert [entry.first_offset for entry in lake.new_entries(TOPIC, {})] == [0]


def test_an_object_without_offsets_is_named(lake: Lake) -> None:
    for number, body in enumerate((b"", b"text", gzip.compress(b"{}\n"), content(3).packed(b"{}\n")), 5):
        put_foreign(lake, f"{number:020}.jsonl.gz", body)
        with pytest.raises(LakeError, match=rf"0{number}[.]jsonl[.]gz: the gzip header has no offsets.*Move it away"):
            lake.last(TOPIC, 0)


def test_gzip_reads_an_object_even_with_the_largest_numbers() -> None:
    largest = Content(2**63 - 1, lakes.LATEST_MS, lakes.LATEST_MS, 10**7, "x" * 22)
    packed = largest.packed(b"{}\n")
    assert gzip.decompress(packed) == b"{}\n"
    assert lakes.HEADER.match(packed[: lakes.HEADER_BYTES])


def test_the_last_of_many_objects_takes_few_requests(folder: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in S3, which lists 1,000 names at a time, in ascending order only."""
    requests = 0

    def page(_: str, after: str) -> tuple[list[tuple[str, int]], bool]:
        nonlocal requests
        requests += 1
        start = next((number for number in range(len(offsets)) if f"{offsets[number]:020}" >= after), len(offsets))
        names = [(lakes.name_of(offset), 1) for offset in offsets[start : start + 1000]]
        return names, start + 1000 >= len(offsets)

    monkeypatch.setattr(folder.store, "page", page)
    monkeypatch.setattr(folder, "describe", lambda entry: entry)
    for count in (1, 999, 1000, 1001, 2000, 2001, 54_321):
        # Large ones at first, as after an outage, small ones later, and a hole.
        offsets = [10_000 * number for number in range(count // 2)]
        offsets += [10**9 + number for number in range(count - count // 2)]
        requests = 0
        last = folder.last(TOPIC, 0)
        assert last and last.first_offset == offsets[-1], count
        assert requests <= 45


def test_a_folder_in_which_nothing_is_new_is_not_read_again(folder: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, 0, 5)
    assert isinstance(folder.store, FolderStore)
    path = folder.store.root / TOPIC / "partition=00000"
    reads = 0

    def scandir(path: Path, scandir: Any = os.scandir) -> Any:
        nonlocal reads
        reads += 1
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)

    def reads_of_listing(offset: int) -> int:
        before = reads
        [*folder.entries(TOPIC, 0, offset)]
        return reads - before

    now = time.time()
    os.utime(path, (now, now))
    assert [reads_of_listing(6), reads_of_listing(6)] == [1, 1], "it may change again at the same time"
    os.utime(path, (now - 10, now - 10))
    assert [reads_of_listing(6), reads_of_listing(6), reads_of_listing(0)] == [1, 0, 1]
    put(folder, 6, 7)
    assert [entry.first_offset for entry in folder.entries(TOPIC, 0, 6)] == [6]


def test_a_full_disk_leaves_nothing_behind(folder: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, 0, 5)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LakeError, match=r"00006[.]jsonl[.]gz cannot be written: No space left on device"):
        put(folder, 6, 7)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*.*")] == ["00000000000000000000.jsonl.gz"]
    put(folder, 6, 7)


def test_what_killed_landers_left_is_removed_but_not_what_others_write(folder: Lake, tmp_path: Path) -> None:
    for name in (".landing-old", ".landing-new"):
        put_foreign(folder, name)
    old = next(tmp_path.rglob(".landing-old"))
    os.utime(old, (0, 0))
    put(folder, 0, 5)
    assert sorted(path.name for path in old.parent.iterdir()) == [".landing-new", "00000000000000000000.jsonl.gz"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(LakeError, match=r"lake/flyer-events.* cannot be written: (Not a directory|File exists)"):
        put(open_lake(str(tmp_path / "lake")), 0, 5)


@pytest.mark.parametrize("lake", ["s3"], indirect=True)
def test_many_files_of_others_hide_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pages = partial(store(lake).client.list_objects_v2, MaxKeys=2)
    monkeypatch.setattr(store(lake).client, "list_objects_v2", in_small_pages)
    for number in range(5):
        put_foreign(lake, f"{0:020}-{number}.csv")
    put(lake, 0, 5)
    put(lake, 6, 7)
    assert [entry.first_offset for entry in lake.new_entries(TOPIC, {})] == [0, 6]
    last = lake.last(TOPIC, 0)
    assert last and last.first_offset == 6


@pytest.mark.parametrize("lake", ["s3"], indirect=True)
def test_an_object_that_was_written_twice_by_one_client_is_its_own(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 wrote it, the answer was lost, and the client tried again."""
    put_object = store(lake).client.put_object
    monkeypatch.setattr(store(lake).client, "put_object", lambda **options: [put_object(**options) for _ in range(2)])
    put(lake, 0, 5)
    with pytest.raises(TakenError):
        put(lake, 0, 5)


@pytest.mark.parametrize("lake", ["s3"], indirect=True)
def test_a_bucket_that_refuses_is_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "PutObject")

    monkeypatch.setattr(store(lake).client, "put_object", refuse)
    with pytest.raises(LakeError, match=r"s3://.*/some/lake/.*00000[.]jsonl[.]gz cannot be written: .*AccessDenied"):
        put(lake, 0, 5)
    with pytest.raises(LakeError, match=r"s3://none/flyer-events/ cannot be listed: .*NoSuchBucket"):
        open_lake("s3://none").partitions(TOPIC)


def test_where_the_lake_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_DUCKDB_PATH", str(tmp_path / "flyer.duckdb"))
    monkeypatch.delenv("FLYER_LAKE", raising=False)
    found = open_lake().store
    assert isinstance(found, FolderStore) and found.root == tmp_path / "lake"
    for url in ("gs://bucket/lake", "s3://", "s3:///lake"):
        monkeypatch.setenv("FLYER_LAKE", url)
        with pytest.raises(SettingError, match="FLYER_LAKE"):
            open_lake()
