"""Parquet. Values of all types but nested ones become text."""

from collections.abc import Iterator, Mapping, Sequence

from flyer_analytics.load.columns import event_columns, ignored, quoted_event_columns, require_columns
from flyer_analytics.load.formats.batch import Batch, Rows, fingerprint, number_of, path_list, separate
from flyer_analytics.load.outcome import FileError

REFUSED_TYPES = ("STRUCT", "MAP", "UNION", "VARIANT", "TIME ", "INTERVAL")
PATH = "flyer_analytics_path"  # a name that no column has
OPTIONS = f"hive_partitioning = false, filename = '{PATH}'"
ROW_NUMBER = "file_row_number"


def read_parquet(batch: Batch) -> Iterator[Rows]:
    # A damaged file can make DuckDB give up the whole instance, so this is not the one that has the database open.
    with separate(batch) as apart:
        schemas = dict(
            apart.query(f"""
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
                found = apart.query(f"describe from read_parquet({path_list([batch.paths[file]])}, {OPTIONS})")
                described[schema] = {name.lower(): kind for name, kind, *_ in found if name != PATH}
            types = described[schema]
            require_columns([*types])
            for name in event_columns():
                if f"{types[name]} ".startswith(REFUSED_TYPES) or types[name].endswith("]"):
                    raise FileError(f"has column {name} of type {types[name]}: write it as text, number or timestamp")
            return tuple(types.items()), file if ROW_NUMBER in types else None

        for (types, _), files in batch.grouped(types_of):
            rows = numbered_rows(batch, files, dict(types))
            yield Rows(
                files,
                parquet_records(rows),
                dict(apart.query(f"select file, {fingerprint(*quoted_event_columns())} from ({rows}) group by file")),
                ignored(name for name, _ in types),
            )


def numbered_rows(batch: Batch, files: Sequence[int], types: Mapping[str, str]) -> str:
    """Return the query for the rows of files of the same types: file, line_number, the columns of an event as text.

    Binary text that is not UTF-8 is null, and is_invalid tells so.
    """
    paths = path_list(batch.paths[file] for file in files)
    if ROW_NUMBER in types:  # a column of the file itself, so that DuckDB cannot add its own
        source, line_number = f"read_parquet({paths}, {OPTIONS})", "row_number() over ()"
    else:
        source, line_number = f"read_parquet({paths}, {OPTIONS}, {ROW_NUMBER} = true)", f"{ROW_NUMBER} + 1"
    texts = ", ".join(f'{as_text(name, types[name])} as "{name}"' for name in event_columns())
    invalid = [
        f'("{name}" is not null and {as_text(name, "BLOB")} is null)'
        for name in event_columns()
        if types[name] == "BLOB"
    ]
    return f"""
        select
            {number_of(PATH)} as file,
            {line_number} as line_number,
            {texts},
            {" or ".join(invalid) or "false"} as is_invalid
        from {source}
    """


def as_text(name: str, kind: str) -> str:
    """Return SQL for a column as text; null if it is binary and not UTF-8."""
    return f'try(decode("{name}"))' if kind == "BLOB" else f'cast("{name}" as varchar)'


def parquet_records(rows: str) -> str:
    names = quoted_event_columns()
    return f"""
        select
            file,
            line_number,
            {", ".join(names)},
            concat_ws(',', {", ".join(names)}) as line,
            case
                when is_invalid then 'invalid_utf8'
                when {" or ".join(f"contains({name}, chr(0))" for name in names)} then 'nul_byte'
            end as reason
        from ({rows})
    """
