"""COPY from S3, emulated with local folders as buckets. Only reading is emulated, not COPY's error handling.

PostgreSQL reads a file in its own text format, in the transaction in which COPY was sent.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import duckdb

from tools.redshift_standin.edits import RefusedError, closing, split_at_commas
from tools.redshift_standin.tokens import Kind, Token, quoted, text_of, tokens, without_blanks

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Row = tuple[str | None, ...]
Opener = Callable[..., Any]


def copy_locally(sql: str, buckets: Mapping[str, Path], scratch: Path) -> str:
    """Return the statement that reads the files of ``sql``, a COPY; ``buckets`` maps prefixes such as ``s3://events``.

    Raises ``RefusedError`` if it names no existing file, no role, or options that are not supported.
    """
    parts = [token for token in without_blanks(tokens(sql)) if token.word != ";"]
    source = next(place for place, token in enumerate(parts) if token.word == "from")
    target, options = parts[1:source], parts[source + 2 :]
    columns: list[str] = []
    if target[-1].word == ")":
        opening = next(place for place, token in enumerate(target) if token.word == "(")
        columns = [item[0].name for item in split_at_commas(target[opening + 1 : closing(target, opening)])]
        target = target[:opening]
    words = [token.word for token in options]
    if "iam_role" not in words and "credentials" not in words:
        raise RefusedError("COPY needs authorization: IAM_ROLE default, or IAM_ROLE 'arn:aws:iam::...'")
    files = local_files(literal(parts[source + 1]), buckets, is_manifest="manifest" in words)
    read = reader_for(options)
    where = f"copy {text_of(target)}" + (f" ({', '.join(columns)})" if columns else "")
    prepared = scratch / f"copy-{abs(hash((sql, *files)))}.txt"
    count = write_for_postgresql(prepared, (row for file in files for row in read(file, columns)))
    prepared.chmod(0o644)
    statements = [
        f"{where} from {quoted(str(prepared))}",
        f"perform set_config('redshift.last_copy_count', '{count}', false)",
    ]
    return f"do $copy$ begin {'; '.join(statements)}; end $copy$"


def literal(token: Token) -> str:
    if token.kind is not Kind.TEXT:
        raise RefusedError(f"COPY needs a location in quotes, such as 's3://bucket/prefix', not {token.text}")
    return token.text[1:-1].replace("''", "'").replace("\\\\", "\\")


def local_path(location: str, buckets: Mapping[str, Path]) -> Path:
    for prefix in sorted(buckets, key=len, reverse=True):
        if location == prefix or location.startswith(prefix.rstrip("/") + "/"):
            return buckets[prefix] / location.removeprefix(prefix).lstrip("/")
    raise RefusedError(f"The specified S3 prefix '{location}' does not exist: the stand-in has {[*buckets]}")


def local_files(location: str, buckets: Mapping[str, Path], *, is_manifest: bool) -> list[Path]:
    """Return the files whose keys begin with the prefix ``location``, or those listed in the manifest ``location``."""
    path = local_path(location, buckets)
    if is_manifest:
        return [local_path(entry["url"], buckets) for entry in json.loads(path.read_text())["entries"]]
    begun = path if location.endswith("/") or path.is_dir() else path.parent
    found = sorted(file for file in begun.rglob("*") if file.is_file() and str(file).startswith(str(path)))
    if not found:
        raise RefusedError(f"The specified S3 prefix '{location}' does not exist")
    return found


def reader_for(options: list[Token]) -> Callable[[Path, list[str]], Iterable[Row]]:
    words = [token.word for token in options]
    opener: Opener = gzip.open if "gzip" in words else zstd.open if "zstd" in words else open
    if "parquet" in words:
        return read_parquet
    if "json" in words:
        ignores_case = any(token.text == "'auto ignorecase'" for token in options)
        return lambda file, columns: read_json(file, columns, opener, ignores_case)
    if "csv" in words:
        place = words.index("ignoreheader") if "ignoreheader" in words else None
        following = words[place + 1 : place + 3] if place is not None else ["0"]
        skipped = int(next(word for word in following if word.isdigit()))
        delimiter = literal(options[words.index("delimiter") + 1]) if "delimiter" in words else ","
        return lambda file, columns: read_csv(file, columns, opener, skipped, delimiter)
    raise RefusedError("the stand-in copies csv, json 'auto' and parquet only")


@contextmanager
def opened(file: Path, opener: Opener) -> Iterator[IO[str]]:
    with opener(file, "rb") as data:
        yield io.TextIOWrapper(data, encoding="utf-8", newline="")


def read_csv(file: Path, columns: list[str], opener: Opener, skipped: int, delimiter: str) -> Iterator[Row]:
    """Yield rows. An empty field without quotes is an empty text, as without EMPTYASNULL."""
    with opened(file, opener) as text:
        for number, fields in enumerate(csv.reader(text, delimiter=delimiter)):
            if number >= skipped and fields:
                if columns and len(fields) != len(columns):
                    raise RefusedError(
                        f"{file.name}, line {number + 1}: {len(fields)} fields for {len(columns)} columns"
                    )
                yield tuple(fields)


def read_json(file: Path, columns: list[str], opener: Opener, ignores_case: bool) -> Iterator[Row]:
    if not columns:
        raise RefusedError("the stand-in copies json with a list of columns only")
    with opened(file, opener) as text:
        for line in text:
            if line.strip():
                row = {name.lower() if ignores_case else name: value for name, value in json.loads(line).items()}
                yield tuple(as_text(row.get(column)) for column in columns)


def read_parquet(file: Path, columns: list[str]) -> Iterator[Row]:
    """Yield rows. Parquet columns map by position, whatever their names."""
    with duckdb.connect() as connection:
        rows = connection.execute("from read_parquet(?)", [str(file)]).fetchall()
    for row in rows:
        if columns and len(row) != len(columns):
            raise RefusedError(f"Spectrum Scan Error: {file.name} has {len(row)} columns, {len(columns)} are named")
        yield tuple(as_text(value) for value in row)


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def write_for_postgresql(file: Path, rows: Iterable[Row]) -> int:
    """Write rows in the text format of PostgreSQL's COPY, and return how many."""
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    count = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        for row in rows:
            out.write("\t".join("\\N" if value is None else value.translate(escapes) for value in row) + "\n")
            count += 1
    return count
