"""CSV, split line by line.

DuckDB's own reader loses everything after an unclosed quote, and stops at mixed line endings. Splitting lines keeps
every good row and its line number.
"""

from collections.abc import Iterator, Sequence

from flyer_analytics.load.columns import event_columns, header, ignored
from flyer_analytics.load.formats.batch import Batch, Rows, is_one_of
from flyer_analytics.load.formats.lines import IS_NOT_BLANK, fingerprints, read_lines

MOST_LINES = 100  # of a record


def read_csv(batch: Batch) -> Iterator[Rows]:
    lines = read_lines(batch)
    first_lines = dict(batch.query(f"select file, line from {lines} where line_number = 1 and reason is null"))

    def header_of(file: int) -> tuple[str, tuple[str, ...]]:
        delimiter, names = header(first_lines.get(file) or "")
        return delimiter, tuple(names)

    for (delimiter, names), files in batch.grouped(header_of):
        query = Split(batch, lines, files, delimiter, names).query()
        yield Rows(files, query, fingerprints(batch, lines, files), ignored(names))


class Split:
    """SQL for the records of files with the same header."""

    def __init__(self, batch: Batch, lines: str, files: Sequence[int], delimiter: str, names: Sequence[str]) -> None:
        self.batch = batch
        self.names = names
        self.delimiter = f"chr({ord(delimiter)})"
        # A regular expression of a field and the delimiter before it: quoted, with quotes inside doubled, or bare.
        self.field = f'{delimiter}("([^"]|"")*"|[^"{delimiter}][^{delimiter}]*|)'
        # The same without delimiters and quotes inside.
        self.plain_field = f'{delimiter}("[^"{delimiter}]*"|[^"{delimiter}]*)'
        self.lines = f"(select * from {lines} where {is_one_of(files)} and line_number > 1)"
        self.joined = f"{lines}_joined_{files[0]}"

    def matches(self, pattern: str) -> str:
        """Return an SQL condition that a line, with a delimiter before it, matches a pattern of fields."""
        return f"regexp_full_match({self.delimiter} || line, '{pattern}')"

    def query(self) -> str:
        fields = [f"nullif(fields[{self.names.index(column) + 1}], '') as \"{column}\"" for column in event_columns()]
        return f"""
            select
                file,
                line_number,
                {", ".join(fields)},
                line,
                case
                    when reason is not null then reason
                    when contains(line, chr(0)) then 'nul_byte'
                    when fields is null then 'broken_quotes'
                    when len(fields) < {len(self.names)} then 'too_few_fields'
                    when len(fields) > {len(self.names)} then 'too_many_fields'
                end as reason
            from (
                select
                    *,
                    case
                        when not contains(line, '"') then string_split(line, {self.delimiter})
                        -- taking out the quotes is many times faster than extracting fields
                        when {self.matches(f"({self.plain_field})*")}
                            then string_split(replace(line, '"', ''), {self.delimiter})
                        when {self.matches(f"({self.field})*")}
                            then list_transform(
                                regexp_extract_all({self.delimiter} || line, '{self.field}', 1),
                                lambda field: case
                                    when starts_with(field, '"') then replace(field[2:-2], '""', '"') else field
                                end
                            )
                    end as fields
                from {self.records()}
                where {IS_NOT_BLANK}
            )
        """

    def records(self) -> str:
        """Return the lines, those of a record of several lines joined."""
        ends_inside_quotes = self.matches(f'({self.field})*{self.field[0]}"([^"]|"")*')
        opens = f"contains(line, '\"') and {ends_inside_quotes}"
        if not self.batch.query(f"select exists (from {self.lines} where {opens})")[0][0]:
            return self.lines
        self._join_lines(opens)
        return f"""(
            select lines.* from {self.lines} as lines
            anti join (
                select file, unnest(range(first_line, last_line + 1)) as line_number from {self.joined}
            ) as joined using (file, line_number)
            union all
            select file, first_line, line, null from {self.joined}
        )"""

    def _join_lines(self, opens: str) -> None:
        """Join each line that leaves a quote open with the lines up to the one that closes it.

        The result counts only if it is a complete record and no later line of it is one by itself, so that a stray
        quote affects no line but its own.
        """
        fields = f"regexp_extract_all({self.delimiter} || line, '{self.field}')"
        is_record = f"({self.matches(f'({self.field})*')} and len({fields}) = {len(self.names)})"
        self.batch.query(f"""
            create temp table {self.joined} as
            with

            quoted_lines as (
                select
                    *,
                    {opens} as opens,
                    (length(line) - length(replace(line, '"', ''))) % 2 = 1 as toggles
                from {self.lines}
                where contains(line, '"')
            ),

            spans as (
                select
                    file,
                    line_number as first_line,
                    min(line_number) filter (where toggles) over (
                        partition by file
                        order by line_number
                        range between 1 following and {MOST_LINES - 1} following
                    ) as last_line,
                    opens
                from quoted_lines
            ),

            -- one row per line, since a join between lines of spans would compare each line with each span
            lines_of_spans as (
                select *, unnest(range(first_line, last_line + 1)) as line_number from spans
                where opens and last_line is not null
            ),

            joined as (
                select
                    file,
                    first_line,
                    last_line,
                    string_agg(coalesce(line, ''), chr(10) order by line_number) as line
                from lines_of_spans
                inner join {self.lines} as lines using (file, line_number)
                group by file, first_line, last_line
                having
                    count(*) filter (where reason is null) = last_line - first_line + 1
                    -- a line that is a complete record is not part of another
                    and not bool_or(line_number > first_line and {is_record})
            ),

            complete as (
                select
                    *,
                    -- a span that begins in another one would use lines twice
                    first_line <= max(last_line) over (
                        partition by file
                        order by first_line
                        rows between unbounded preceding and 1 preceding
                    ) as begins_inside
                from joined
                where {is_record}
            )

            select file, first_line, last_line, line from complete
            where begins_inside is not true
        """)
