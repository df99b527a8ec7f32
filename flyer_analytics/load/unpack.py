"""Plain files for DuckDB to read."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from flyer_analytics.load.files import DiskFile
from flyer_analytics.load.outcome import FileError

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

OPENERS: dict[str | None, Callable[..., Any]] = {None: open, "gz": gzip.open, "zst": zstd.open}
DAMAGE = (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile)


def link_or_copy(file: DiskFile, target: Path) -> None:
    """Make the content of a file available as ``target``: not compressed, and lines of text ended by a line feed.

    Raises OSError if the file cannot be read, and FileError if it is damaged.
    """
    with Path(file.name).open("rb") as source:
        needs_copy = file.is_text and (file.compression or any(b"\r" in chunk for chunk in chunks(source)))
    if needs_copy:
        unpack(Path(file.name), file.compression, target)
    else:
        target.symlink_to(file.name)


def unpack(source: Path, compression: str | None, target: Path) -> None:
    """Write the text in a file to ``target``.

    Python checks lengths and checksums, while DuckDB takes the readable part of a damaged file for all of it. And in
    files with carriage returns, DuckDB can lose text after a line that ends in another way than the first. Raises
    FileError if the file is damaged.
    """
    try:
        with OPENERS[compression](source, "rb") as packed, target.open("wb") as plain:
            for chunk in chunks(packed):
                plain.write(chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    except DAMAGE as error:
        raise FileError(f"is damaged: {error}") from None


def first_bytes(packed: bytes, compression: str, count: int) -> bytes:
    """Return the first bytes, at most ``count``, of a file of which ``packed`` is the beginning.

    Raises FileError if it is damaged.
    """
    try:
        return bytes(OPENERS[compression](BytesIO(packed), "rb").read1(count))
    except DAMAGE as error:
        raise FileError(f"is damaged: {error}") from None


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in parts, none of which ends between a carriage return and a line feed."""
    while chunk := file.read(2**20):
        while chunk.endswith(b"\r") and (more := file.read(1)):
            chunk += more
        yield chunk
