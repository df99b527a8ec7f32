"""The lines of text files."""

from collections.abc import Iterable

from flyer_analytics.load.formats.batch import Batch, fingerprint, is_one_of, number_of, path_list
from flyer_analytics.load.outcome import EmptyFileError

LONGEST_LINE = 20_000_000  # bytes
# DuckDB's CSV reader takes each line for one field: these characters never occur together.
DELIMITER = "chr(28) || chr(29) || chr(30) || chr(31)"
# Trimming each line would take as long as reading it.
IS_NOT_BLANK = "case when starts_with(line, ' ') then trim(line) <> '' else line <> '' end"


def read_lines(batch: Batch) -> str:
    """Create a view of lines, and return its name: file, line_number from 1, line, and reason if it cannot be read.

    Files without a line that is not blank are refused.
    """
    lines = f"lines_{batch.name}"
    # The table's rowid is the order of lines. Threads share the work, as they do not with row_number() over ().
    batch.query(f"""
        create temp table {lines}_read as
        select {number_of("filename")} as file, line
        from read_csv(
            {path_list(batch.paths.values())}, columns = {{'line': 'varchar'}}, filename = true,
            hive_partitioning = false, auto_detect = false, header = false, all_varchar = true,
            strict_mode = false, null_padding = true, delim = {DELIMITER}, quote = '', escape = '', comment = '',
            max_line_size = {LONGEST_LINE},
            store_rejects = true, rejects_table = '{lines}_rejects', rejects_scan = '{lines}_scans'
        )
    """)
    batch.query(f"""
        create temp view {lines} as
        select file, rowid - first_rowid + 1 as line_number, line, cast(null as varchar) as reason
        from {lines}_read
        inner join (select file, min(rowid) as first_rowid from {lines}_read group by file) using (file)
    """)
    if batch.query(f"select exists (from {lines}_rejects)")[0][0]:
        add_unreadable_lines(batch, lines)
    found = {file for (file,) in batch.query(f"select distinct file from {lines} where {IS_NOT_BLANK}")}
    for file in {*batch.paths} - found:
        batch.refuse(file, EmptyFileError())
        del batch.paths[file]
    return lines


def add_unreadable_lines(batch: Batch, lines: str) -> None:
    """Add the lines that are not UTF-8 or too long to the view. They count in the numbers of the lines after them."""
    batch.query(f"""
        create temp table {lines}_unreadable as
        select
            {number_of("file_path")} as file,
            rejects.line as line_number,
            ltrim(coalesce(any_value(csv_line), ''), chr(10) || chr(13)) as line,
            case any_value(error_type)
                when 'INVALID ENCODING' then 'invalid_utf8'
                when 'LINE SIZE OVER MAXIMUM' then 'line_too_long'
                else 'unreadable'
            end as reason,
            row_number() over (partition by file order by rejects.line) as unreadable_so_far,
            rejects.line - unreadable_so_far as readable_lines_before
        from {lines}_rejects as rejects
        inner join {lines}_scans using (scan_id, file_id)
        group by 1, rejects.line
    """)
    batch.query(f"alter view {lines} rename to {lines}_readable")
    batch.query(f"""
        create temp view {lines} as
        select
            readable.file,
            cast(readable.line_number + coalesce(unreadable_so_far, 0) as bigint) as line_number,
            readable.line,
            readable.reason
        from {lines}_readable as readable
        asof left join (
            select file, readable_lines_before, max(unreadable_so_far) as unreadable_so_far
            from {lines}_unreadable
            group by file, readable_lines_before
        ) as unreadable
            on readable.file = unreadable.file and readable.line_number > readable_lines_before
        union all
        select file, cast(line_number as bigint), line, reason from {lines}_unreadable
    """)


def fingerprints(batch: Batch, lines: str, files: Iterable[int]) -> dict[int, str]:
    """Return the fingerprint of each file, of its lines and their numbers."""
    return dict(batch.query(f"select file, {fingerprint('line')} from {lines} where {is_one_of(files)} group by file"))
