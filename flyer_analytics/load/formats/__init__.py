"""The formats of files on disk.

A format is a function that takes a batch of its files and yields queries for their rows. `files.NAME` says which files
have it.
"""

from collections.abc import Callable, Iterator

from flyer_analytics.load.formats.batch import Batch, Rows
from flyer_analytics.load.formats.csv_lines import read_csv
from flyer_analytics.load.formats.json_lines import read_json
from flyer_analytics.load.formats.parquet import read_parquet

FORMATS: dict[str, Callable[[Batch], Iterator[Rows]]] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}
