"""The command ``python -m flyer_analytics.load``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TextIO

from flyer_analytics.dbt_profile import database_path
from flyer_analytics.load import disk
from flyer_analytics.load.files import ENDINGS
from flyer_analytics.load.outcome import FAILED, LoadError
from flyer_analytics.lock import LockedError, add_wait, writer_lock

STATUSES = """
exit status:
  0  all files are loaded, now or before
  1  nothing was loaded
  2  the command is invalid
  3  some files could not be loaded; all others are
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the files, and print a line for each and one for all of them. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.load",
        description="Load events into DuckDB, or from S3 into Redshift. Files that are already loaded are skipped.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", help=f"a file, a pattern or a folder, also s3://bucket/folder/; names end in {ENDINGS}")
    parser.add_argument(
        "--target",
        default=os.environ.get("DBT_TARGET", "redshift"),
        help="dbt target for files in S3 (default: DBT_TARGET, or redshift)",
    )
    add_wait(parser)
    options = parser.parse_args(arguments)
    if not options.path.strip():
        parser.error("the path is empty")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # of names that the terminal cannot show
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        if options.path.startswith("s3://"):
            # here, since dbt takes seconds to import
            from flyer_analytics.dbt_process import Dbt
            from flyer_analytics.load import s3

            with writer_lock(f"load {options.path}", options.wait, options.target):
                outcome = s3.load(options.path, Dbt(options.target), os.environ.get("FLYER_S3_MANIFESTS"), say)
        else:
            with writer_lock(f"load {options.path}", options.wait, "duckdb"):
                outcome = disk.load(options.path, database_path(), say)
    except (LoadError, LockedError) as error:
        say(str(error), sys.stderr)
        say("Loaded nothing")
        return FAILED
    except KeyboardInterrupt:
        say("Interrupted: nothing was loaded, unless files are listed above with their rows")
        return FAILED
    for warning in outcome.warnings():
        say(warning, sys.stderr)
    say(str(outcome))
    return outcome.status


def say(line: str, stream: TextIO | None = None) -> None:
    """Print a line at once, to stdout by default. A stream that nobody reads any more does not stop a load."""
    stream = stream or sys.stdout
    try:
        print(line, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
