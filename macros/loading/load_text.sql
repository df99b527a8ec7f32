{#
    CSV and JSON lines, read line by line. DuckDB's own CSV reader gives up all that stands behind an unclosed quote and
    stops at mixed line ends; plain lines keep every good row and know its line number, for about a tenth more time.
#}

{#
    First pass over a file: its columns, a fingerprint of its content, and what the second pass needs to know. The
    fingerprint combines the hashes of lines with their numbers, so that a large file takes no more memory than a small one.
#}
{%- macro scan_text(file) -%}
    {%- call statement(auto_begin=false) -%} drop table if exists temp.load_rejects {%- endcall -%}
    {%- call statement(auto_begin=false) -%} drop table if exists temp.load_rejects_scan {%- endcall -%}
    {%- call statement('scan', fetch_result=true, auto_begin=false) -%}
        select
            bit_xor(md5_number(concat(line_index, ':', line))) as fingerprint,
            max(line) filter (where line_index = 1) as first_line,
            coalesce(bool_or(line_index = 1 and contains(line, chr(0))), false) as is_binary,
            count(nullif(trim(line), '')) as lines,
            count(*) filter (where {{ opens_quoted_field('line') }}) as open_lines
        from ({{ readable_lines(file, "store_rejects = true, rejects_table = 'load_rejects', rejects_scan = 'load_rejects_scan'") }})
    {%- endcall -%}
    {%- set scan = load_result('scan').table.rows[0] -%}

    {%- call statement(auto_begin=false) -%}
        create or replace temp table load_unreadable_lines as
        select
            line as line_number,
            coalesce(any_value(csv_line), '') as line,
            any_value(error_type) as error_type,
            row_number() over (order by line_number) as unreadable_so_far,
            line_number - unreadable_so_far as last_index_before
        from load_rejects
        group by line
    {%- endcall -%}
    {%- call statement('unreadable', fetch_result=true, auto_begin=false) -%}
        select
            count(*) as lines,
            coalesce(min(line_number) = 1, false) as header,
            bit_xor(md5_number(concat(line_number, ':', line))) as fingerprint
        from load_unreadable_lines
    {%- endcall -%}
    {%- set unreadable = load_result('unreadable').table.rows[0] -%}

    {%- if format_of(file) == 'csv' -%}
        {%- set columns = header_columns('' if scan['is_binary'] else scan['first_line'] or '') -%}
    {%- else -%}
        {%- set columns = json_columns(file) -%}
    {%- endif -%}
    {{ return({
        'columns': columns,
        'is_empty': not scan['lines'] and not unreadable['lines'],
        'records': scan['lines'] - (1 if format_of(file) == 'csv' else 0),
        'fingerprint': scan['fingerprint'] ~ '-' ~ unreadable['fingerprint'],
        'has_unreadable_header': format_of(file) == 'csv' and (unreadable['header'] or scan['is_binary']),
        'has_open_lines': format_of(file) == 'csv' and scan['open_lines'] > 0,
        'has_unreadable_lines': unreadable['lines'] > 0,
    }) }}
{%- endmacro -%}

{# Second pass: every line that is not blank becomes a row of raw.flyer_events or of raw.rejected_lines. #}
{%- macro insert_text_rows(file, scan) -%}
    {%- set is_csv = format_of(file) == 'csv' -%}
    {%- if scan.has_open_lines -%}
        {%- do join_multiline_records(file, scan) -%}
    {%- endif -%}
    {%- set records = csv_records(file, scan) if is_csv else json_records(file, scan) -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.flyer_events
        select
            {% for column in event_columns() -%}
            {% if is_csv -%}
            nullif(fields[{{ scan.columns.index(column) + 1 }}], ''),
            {% else -%}
            json_extract_string(record, '$."{{ column }}"'),
            {% endif -%}
            {% endfor -%}
            {{ sql_text(file) }},
            line_number,
            {{ loaded_at() }}
        from ({{ records }})
        where reason is null
    {%- endcall -%}

    {#- most files have no bad line, and need not be read for them -#}
    {%- if
        not scan.has_open_lines
        and not scan.has_unreadable_lines
        and count_of_this_load('flyer_events', '_source_file', file) == scan.records
    -%}
        {{ return(none) }}
    {%- endif -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.rejected_lines
        select {{ sql_text(file) }}, line_number, record, reason, {{ loaded_at() }}
        from ({{ records }})
        where reason is not null

        union all

        select
            {{ sql_text(file) }},
            line_number,
            line,
            case error_type
                when 'INVALID ENCODING' then 'invalid_utf8'
                when 'LINE SIZE OVER MAXIMUM' then 'line_too_long'
                else 'unreadable'
            end,
            {{ loaded_at() }}
        from load_unreadable_lines
    {%- endcall -%}
{%- endmacro -%}

{# The lines that are valid UTF-8, in order: a CSV of one column, whose delimiter is four characters that never come together. #}
{%- macro readable_lines(file, rejects='ignore_errors = true') -%}
    select
        row_number() over () as line_index,
        line
    from read_csv(
        {{ as_pattern(file) }}, columns = {'line': 'varchar'}, hive_partitioning = false,
        auto_detect = false, header = false, all_varchar = true, strict_mode = false, null_padding = true,
        delim = chr(28) || chr(29) || chr(30) || chr(31), quote = '', escape = '', comment = '', max_line_size = 20000000,
        compression = '{{ 'gzip' if file.lower().endswith('.gz') else 'none' }}',
        {{ rejects }}
    )
{%- endmacro -%}

{# The same lines with their numbers in the file, where the unreadable ones count too. #}
{%- macro numbered_lines(file, scan) -%}
    select
        {%- if scan.has_unreadable_lines %}
        line_index + coalesce(unreadable_so_far, 0) as line_number,
        lines.line as record
    from ({{ readable_lines(file) }}) as lines
    asof left join load_unreadable_lines as unreadable on line_index > last_index_before
        {%- else %}
        line_index as line_number,
        line as record
    from ({{ readable_lines(file) }})
        {%- endif %}
{%- endmacro -%}

{# A field with the comma before it: quoted, quotes inside doubled, or bare. A record is read with a comma put before it. #}
{%- macro csv_field_pattern() -%}
    ,("([^"]|"")*"|[^",][^,]*|)
{%- endmacro -%}

{%- macro opens_quoted_field(line) -%}
    contains({{ line }}, '"') and regexp_full_match(',' || {{ line }}, '({{ csv_field_pattern() }})*,"([^"]|"")*')
{%- endmacro -%}

{%- macro is_whole_record(record, scan) -%}
    regexp_full_match(',' || {{ record }}, '({{ csv_field_pattern() }}){{ '{' ~ scan.columns | length ~ '}' }}')
{%- endmacro -%}

{# Names in lower case, without the byte-order mark, quotes and blanks around them. #}
{%- macro header_columns(line) -%}
    {%- call statement('header', fetch_result=true, auto_begin=false) -%}
        select unnest(regexp_extract_all(',' || {{ sql_text(line) }}, '{{ csv_field_pattern() }}', 1)) as name
    {%- endcall -%}
    {%- set columns = [] -%}
    {%- for name in load_result('header').table.columns[0].values() -%}
        {%- do columns.append((name or '').strip('\ufeff" \t').lower()) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro -%}

{#
    load_multiline_records: a line that leaves a quote open, joined with those up to the line that closes it. Only what
    then reads as a whole record of lines that are none counts, so that a stray quote costs its own line and no other.
#}
{%- macro join_multiline_records(file, scan) -%}
    {%- call statement(auto_begin=false) -%}
        create or replace temp table load_lines as {{ numbered_lines(file, scan) }}
    {%- endcall -%}
    {%- call statement(auto_begin=false) -%}
        create or replace temp table load_multiline_records as
        with

        quoted_lines as (
            select
                *,
                {{ opens_quoted_field('record') }} as opens,
                (length(record) - length(replace(record, '"', ''))) % 2 = 1 as toggles
            from load_lines
            where contains(record, '"') and line_number > 1
        ),

        spans as (
            select
                line_number as first_line,
                min(line_number) filter (where toggles) over (
                    order by line_number
                    range between 1 following and 100 following
                ) as last_line,
                opens
            from quoted_lines
        ),

        joined as (
            select
                first_line,
                last_line,
                string_agg(coalesce(record, ''), chr(10) order by line_number) as record
            from spans
            inner join load_lines on line_number between first_line and last_line
            where opens and last_line is not null
            group by first_line, last_line
            having
                -- a line that is not UTF-8 is missing here
                count(*) = last_line - first_line + 1
                -- a line that is a whole record is no part of another
                and not bool_or(line_number > first_line and {{ is_whole_record('record', scan) }})
        ),

        whole as (
            select
                *,
                -- a span that begins where the one before it ends would use that line twice
                first_line = lag(last_line) over (order by first_line) as begins_inside
            from joined
            where {{ is_whole_record('record', scan) }}
        )

        select first_line, last_line, record from whole
        where begins_inside is not true
    {%- endcall -%}
{%- endmacro -%}

{# line_number, record, fields, and the reason why it is no row, if it is none. #}
{%- macro csv_records(file, scan) -%}
    with

    records as (
        {%- if scan.has_open_lines %}
        select line_number, record from load_lines
        anti join load_multiline_records on line_number between first_line and last_line
        union all
        select first_line, record from load_multiline_records
        {%- else %}
        {{ numbered_lines(file, scan) }}
        {%- endif %}
    ),

    records_split as (
        select
            *,
            case
                when not contains(record, '"') then string_split(record, ',')
                when regexp_full_match(',' || record, '({{ csv_field_pattern() }})*')
                    then list_transform(
                        regexp_extract_all(',' || record, '{{ csv_field_pattern() }}', 1),
                        lambda field: case
                            when starts_with(field, '"') then replace(field[2:-2], '""', '"') else field
                        end
                    )
            end as fields
        from records
        where line_number > 1 and trim(record) <> ''
    )

    select
        *,
        case
            when contains(record, chr(0)) then 'nul_byte'
            when fields is null then 'broken_quotes'
            when len(fields) < {{ scan.columns | length }} then 'too_few_fields'
            when len(fields) > {{ scan.columns | length }} then 'too_many_fields'
        end as reason
    from records_split
{%- endmacro -%}


{# Every key that occurs in any line. #}
{%- macro json_columns(file) -%}
    {%- call statement('keys', fetch_result=true, auto_begin=false) -%}
        select distinct unnest(json_keys(line)) as key
        from (
            select case when {{ is_json_object('line') }} then line end as line
            from ({{ readable_lines(file) }})
        )
        order by key
    {%- endcall -%}
    {{ return(load_result('keys').table.columns[0].values() | list) }}
{%- endmacro -%}

{%- macro is_json_object(line) -%}
    case when json_valid({{ line }}) then json_type({{ line }}) = 'OBJECT' else false end
{%- endmacro -%}

{%- macro json_records(file, scan) -%}
    select
        *,
        case
            when contains(record, chr(0)) or contains(record, '\u0000') then 'nul_byte'
            when not {{ is_json_object('record') }} then 'not_a_json_object'
        end as reason
    from ({{ numbered_lines(file, scan) }})
    where trim(record) <> ''
{%- endmacro -%}
