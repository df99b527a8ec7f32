"""JSON lines: one object per line, its keys in any case."""

from collections.abc import Iterator, Sequence

from flyer_analytics.load.columns import IS_ARRAY, REQUIRED_KEYS, event_columns, ignored, require_columns
from flyer_analytics.load.formats.batch import Batch, Rows, is_one_of
from flyer_analytics.load.formats.lines import IS_NOT_BLANK, fingerprints, read_lines
from flyer_analytics.load.outcome import FileError

IS_OBJECT = "case when json_valid(line) then json_type(line) = 'OBJECT' else false end"


def read_json(batch: Batch) -> Iterator[Rows]:
    lines = read_lines(batch)
    first_characters = dict(
        batch.query(f"""
            select file, ltrim(arg_min(line, line_number), ' ' || chr(9))[1] from {lines}
            where {IS_NOT_BLANK}
            group by file
        """)
    )
    keys = dict(
        batch.query(f"""
            select file, list(distinct key)
            from (select file, unnest(json_keys(case when {IS_OBJECT} then line end)) as key from {lines})
            group by file
        """)
    )

    def spellings_of(file: int) -> tuple[str, ...]:
        """Return the keys that are columns of an event, as they are spelled."""
        if not batch.is_stream:
            if first_characters[file] == "[":
                raise FileError(IS_ARRAY)
            if file not in keys:
                raise FileError("has no line that is a JSON object. To write one object per line: jq -c .")
            require_columns([*{key.lower() for key in keys[file]}], REQUIRED_KEYS)
        return tuple(sorted(key for key in keys.get(file, []) if key.lower() in event_columns()))

    for spellings, files in batch.grouped(spellings_of):
        yield Rows(
            files,
            json_records(lines, files, spellings),
            fingerprints(batch, lines, files),
            ignored(key.lower() for file in files for key in keys.get(file, [])),
        )


def json_records(lines: str, files: Sequence[int], spellings: Sequence[str]) -> str:
    """Return the query for the records of files with the same spellings of keys. All keys are found in one pass."""
    paths = ", ".join(f"'$.\"{key}\"'" for key in spellings)
    values = []
    for column in event_columns():
        found = [f"found[{number}]" for number, key in enumerate(spellings, 1) if key.lower() == column]
        values.append(f'coalesce({", ".join([*found, "null"])}) as "{column}"')
    return f"""
        select
            file,
            line_number,
            {", ".join(values)},
            line,
            reason
        from (
            select *, case when reason is null then json_extract_string(line, [{paths}]::text[]) end as found
            from (
                select
                    * exclude (reason),
                    case
                        when reason is not null then reason
                        when contains(line, chr(0)) or contains(line, '\\u0000') then 'nul_byte'
                        when not {IS_OBJECT} then 'not_a_json_object'
                    end as reason
                from {lines}
                where {is_one_of(files)} and {IS_NOT_BLANK}
            )
        )
    """
