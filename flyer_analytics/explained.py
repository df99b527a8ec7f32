"""Errors of DuckDB and of the operating system, each with the way out that fits its cause."""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

import duckdb

# What DuckDB and the operating system say, and what to do about it.
WAYS_OUT = {
    os.strerror(errno.ENOSPC): "Free some space, then run this again.",
    os.strerror(errno.EDQUOT): "Free some space, then run this again.",
    os.strerror(errno.EFBIG): "Raise the limit for the size of files (ulimit -f), then run this again.",
    os.strerror(errno.EACCES): "Grant this user the permissions, or name another place.",
    os.strerror(errno.EPERM): "Grant this user the permissions, or name another place.",
    os.strerror(errno.EROFS): "Make it writable, or name another place.",
    os.strerror(errno.EISDIR): "A file must be there: move the folder away, or name another place.",
    os.strerror(errno.EEXIST): "A folder must be there: move the file away, or name another place.",
    os.strerror(errno.ENOTDIR): "A folder must be there: move the file away, or name another place.",
    "not a valid DuckDB database file": "Name another file, or delete this one if nobody needs it.",
    "database does not exist": "Run `make build` first.",
    "Parser Error: Memory": "Set FLYER_DUCKDB_MEMORY to a size such as 8GB.",
    "Catalog Error": "The tables are of no complete build of this project: run `make build`.",
}
IN_USE = "is in use by process"
LONGEST_COMMAND = 100  # characters
HOLDER = re.compile(
    r'Could not set lock on file "(?P<file>.+)": Conflicting lock is held in (?P<program>.+) \(PID (?P<process>\d+)'
)


def explained(error: Exception) -> str:
    """Return what ``error`` says, of DuckDB's errors the first line, with the way out where the cause is known."""
    if held := HOLDER.search(str(error)):
        return in_use(**held.groupdict())
    message = str(error)
    if isinstance(error, OSError) and error.filename:
        message = f"{error.filename2 or error.filename}: {error.strerror}"
    elif isinstance(error, duckdb.Error):
        message = message.partition("\n")[0]
    return with_way_out(message)


def with_way_out(message: str) -> str:
    """Return ``message`` followed by the way out, if it names a known cause."""
    way_out = next((way_out for words, way_out in WAYS_OUT.items() if words in message), None)
    return f"{message.rstrip('.!')}. {way_out}" if way_out else message


def in_use(file: str, program: str, process: str) -> str:
    """Return who has a database open. For as long, nobody else can write to it."""
    with suppress(OSError):  # not on every system
        command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="backslashreplace")
        program = " ".join(command.replace("\0", " ").split())[:LONGEST_COMMAND]
    return f"{file} {IN_USE} {process} ({program}). Run this again when that has ended, or end it."
