"""The formats of files on disk.

A format is a function that takes a batch of files and yields queries for their rows, in FORMATS by its name.
`files.FORMATS` says which files have it.
"""

from collections.abc import Callable, Iterator

from flyer_analytics.load.batch import Batch, Rows, is_one_of, number_of, path_list
from flyer_analytics.load.columns import IS_ARRAY, REQUIRED_KEYS, event_columns, ignored, require_columns
from flyer_analytics.load.csv_records import read_csv
from flyer_analytics.load.lines import IS_NOT_BLANK, fingerprints, read_lines
from flyer_analytics.load.outcome import FileError

NESTED_TYPES = ("STRUCT", "MAP", "UNION", "VARIANT")
ROW_NUMBER = "file_row_number"
PARQUET_OPTIONS = "hive_partitioning = false, filename = 'file_of_row'"


def read_json(batch: Batch) -> Iterator[Rows]:
    """Read JSON lines: one object per line, its keys in any case."""
    lines = read_lines(batch)
    is_object = "case when json_valid(line) then json_type(line) = 'OBJECT' else false end"
    arrays = {
        file
        for (file,) in batch.query(f"""
            select file from {lines} where {IS_NOT_BLANK}
            group by file having starts_with(ltrim(arg_min(line, line_number)), '[')
        """)
    }
    keys_by_file = dict(
        batch.query(f"""
            select file, list(distinct key)
            from (
                select file, unnest(json_keys(case when {is_object} then line end)) as key
                from {lines}
                where reason is null
            )
            group by file
        """)
    )

    def spellings_of(file: int) -> tuple[str, ...]:
        if file in arrays:
            raise FileError(IS_ARRAY)
        if file not in keys_by_file:
            raise FileError("has no line that is a JSON object")
        require_columns([*{key.lower() for key in keys_by_file[file]}], REQUIRED_KEYS)
        return tuple(sorted(key for key in keys_by_file[file] if key.lower() in event_columns()))

    for spellings, files in batch.grouped(spellings_of):
        paths = ", ".join(f"'$.\"{key}\"'" for key in spellings)
        values = []
        for column in event_columns():
            found = [f"found[{number}]" for number, key in enumerate(spellings, 1) if key.lower() == column]
            values.append(f'coalesce({", ".join([*found, "null"])}) as "{column}"')
        query = f"""
            select
                file,
                line_number,
                {", ".join(values)},
                line,
                reason
            from (
                select
                    *,
                    case when reason is null then json_extract_string(line, [{paths}]) end as found
                from (
                    select
                        * exclude (reason),
                        case
                            when reason is not null then reason
                            when contains(line, chr(0)) or contains(line, '\\u0000') then 'nul_byte'
                            when not {is_object} then 'not_a_json_object'
                        end as reason
                    from {lines}
                    where {is_one_of(files)} and {IS_NOT_BLANK}
                )
            )
        """
        yield Rows(
            files,
            query,
            fingerprints(lines, files),
            ignored(key.lower() for file in files for key in keys_by_file[file]),
        )


def read_parquet(batch: Batch) -> Iterator[Rows]:
    """Read Parquet. Values of all types but nested ones become text."""
    schemas = dict(
        batch.query(f"""
            select
                {number_of("file_name")} as file,
                cast(list((name, duckdb_type, logical_type, num_children)) as varchar)
            from parquet_schema({batch.path_list})
            group by file
        """)
    )
    described: dict[str, dict[str, str]] = {}

    def columns_of(file: int) -> tuple[tuple[tuple[str, str], ...], int | None]:
        """Return names and types, and the number of a file that must be read alone."""
        schema = schemas[file]
        if schema not in described:
            source = f"read_parquet({path_list([batch.paths[file]])}, hive_partitioning = false)"
            found = batch.query(f"describe from {source}")
            described[schema] = {name.lower(): kind for name, kind, *_ in found}
        types = described[schema]
        require_columns([*types])
        for name in event_columns():
            if types[name].startswith(NESTED_TYPES) or types[name].endswith("]"):
                raise FileError(f"has column {name} of type {types[name]}: write it as text, number or timestamp")
        return tuple(types.items()), file if ROW_NUMBER in types else None

    for (columns, _), files in batch.grouped(columns_of):
        types = dict(columns)
        paths = path_list(batch.paths[file] for file in files)
        if ROW_NUMBER in types:  # a column of the file, which would hide DuckDB's own
            source, row = f"read_parquet({paths}, {PARQUET_OPTIONS})", "row_number() over ()"
        else:
            source, row = f"read_parquet({paths}, {PARQUET_OPTIONS}, {ROW_NUMBER} = true)", f"{ROW_NUMBER} + 1"
        rows = f"(select {number_of('file_of_row')} as file, {row} as line_number, * from {source})"
        names = [f'"{name}"' for name in event_columns()]
        texts = [as_text(name, types[name]) for name in event_columns()]
        blobs = [name for name in event_columns() if types[name] == "BLOB"]
        not_utf8 = (
            " or ".join(f'("{name}" is not null and {as_text(name, "BLOB")} is null)' for name in blobs) or "false"
        )
        query = f"""
            select
                file,
                line_number,
                {", ".join(f"{value} as {name}" for name, value in zip(names, texts, strict=True))},
                concat_ws(',', {", ".join(texts)}) as line,
                case
                    when {not_utf8} then 'invalid_utf8'
                    when {" or ".join(f"contains({value}, chr(0))" for value in texts)} then 'nul_byte'
                end as reason
            from {rows}
        """
        content = f"""
            select file, concat(count(*), '-', to_hex(bit_xor(hash(line_number, {", ".join(names)})))) as fingerprint
            from {rows}
            group by file
        """
        yield Rows(files, query, content, ignored(types))


def as_text(name: str, kind: str) -> str:
    """Return SQL for a column as text; null if it is binary and not UTF-8."""
    return f'try(decode("{name}"))' if kind == "BLOB" else f'cast("{name}" as varchar)'


FORMATS: dict[str, Callable[[Batch], Iterator[Rows]]] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}
