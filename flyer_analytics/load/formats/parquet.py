"""Parquet. Values of all types but nested ones become text."""

from collections.abc import Iterator, Mapping, Sequence

from flyer_analytics.load.columns import event_columns, ignored, require_columns
from flyer_analytics.load.formats.batch import Batch, Rows, number_of, path_list
from flyer_analytics.load.outcome import FileError

NESTED_TYPES = ("STRUCT", "MAP", "UNION", "VARIANT")
OPTIONS = "hive_partitioning = false, filename = 'path_of_row'"
ROW_NUMBER = "file_row_number"


def read_parquet(batch: Batch) -> Iterator[Rows]:
    schemas = dict(
        batch.query(f"""
            select
                {number_of("file_name")} as file,
                cast(list((name, duckdb_type, logical_type, num_children)) as varchar)
            from parquet_schema({path_list(batch.paths.values())})
            group by file
        """)
    )
    described: dict[str, dict[str, str]] = {}

    def types_of(file: int) -> tuple[tuple[tuple[str, str], ...], int | None]:
        """Return the types of columns, and the file if it must be read alone."""
        schema = schemas[file]
        if schema not in described:
            found = batch.query(f"describe from read_parquet({path_list([batch.paths[file]])}, {OPTIONS})")
            described[schema] = {name.lower(): kind for name, kind, *_ in found if name != "path_of_row"}
        types = described[schema]
        require_columns([*types])
        for name in event_columns():
            if types[name].startswith(NESTED_TYPES) or types[name].endswith("]"):
                raise FileError(f"has column {name} of type {types[name]}: write it as text, number or timestamp")
        return tuple(types.items()), file if ROW_NUMBER in types else None

    for (types, _), files in batch.grouped(types_of):
        rows = numbered_rows(batch, files, dict(types))
        yield Rows(files, parquet_records(rows, dict(types)), fingerprints(rows), ignored(name for name, _ in types))


def numbered_rows(batch: Batch, files: Sequence[int], types: Mapping[str, str]) -> str:
    """Return the query for the rows of files of the same types: file, line_number and the columns of an event."""
    paths = path_list(batch.paths[file] for file in files)
    if ROW_NUMBER in types:  # a column of the file itself, so that DuckDB cannot add its own
        source, line_number = f"read_parquet({paths}, {OPTIONS})", "row_number() over ()"
    else:
        source, line_number = f"read_parquet({paths}, {OPTIONS}, {ROW_NUMBER} = true)", f"{ROW_NUMBER} + 1"
    columns = ", ".join(f'"{name}"' for name in event_columns())
    return f"select {number_of('path_of_row')} as file, {line_number} as line_number, {columns} from {source}"


def parquet_records(rows: str, types: Mapping[str, str]) -> str:
    def as_text(name: str) -> str:
        """Return SQL for a column as text; null if it is binary and not UTF-8."""
        return f'try(decode("{name}"))' if types[name] == "BLOB" else f'cast("{name}" as varchar)'

    texts = {name: as_text(name) for name in event_columns()}
    not_utf8 = [f'("{name}" is not null and {value} is null)' for name, value in texts.items() if types[name] == "BLOB"]
    holds_nul = [f"contains({value}, chr(0))" for value in texts.values()]
    return f"""
        select
            file,
            line_number,
            {", ".join(f'{value} as "{name}"' for name, value in texts.items())},
            concat_ws(',', {", ".join(texts.values())}) as line,
            case
                when {" or ".join([*not_utf8, "false"])} then 'invalid_utf8'
                when {" or ".join(holds_nul)} then 'nul_byte'
            end as reason
        from ({rows})
    """


def fingerprints(rows: str) -> str:
    columns = ", ".join(f'"{name}"' for name in event_columns())
    return f"""
        select file, concat(count(*), '-', to_hex(bit_xor(hash(line_number, {columns})))) as fingerprint
        from ({rows})
        group by file
    """
