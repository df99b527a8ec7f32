{%- macro insert_text_rows(file, scan) -%}
    {%- set is_csv = format_of(file) == 'csv' -%}
    {%- if scan.has_open_lines -%}
        {%- do join_multiline_records(scan) -%}
    {%- endif -%}
    {%- set records = csv_records(scan) if is_csv else json_records(scan) -%}
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

    {#- most files have no bad lines and need not be read again for them -#}
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

{# The lines in valid UTF-8 with their numbers in the file, in which the other lines count too. #}
{%- macro numbered_lines(scan) -%}
    select
        {%- if scan.has_unreadable_lines %}
        line_index + coalesce(unreadable_so_far, 0) as line_number,
        lines.line as record
    from ({{ scan.lines }}) as lines
    asof left join load_unreadable_lines as unreadable on line_index > last_index_before
        {%- else %}
        line_index as line_number,
        line as record
    from ({{ scan.lines }})
        {%- endif %}
{%- endmacro -%}

{# line_number, record and fields; reason says why a record cannot be parsed, and is null otherwise. #}
{%- macro csv_records(scan) -%}
    with

    records as (
        {%- if scan.has_open_lines %}
        select line_number, record from load_lines
        anti join load_multiline_records on line_number between first_line and last_line
        union all
        select first_line, record from load_multiline_records
        {%- else %}
        {{ numbered_lines(scan) }}
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

{#
    Creates load_multiline_records: each line that leaves a quote open, joined with the lines up to the one that closes it.
    The result counts only if it is a complete record and no later line of it is one by itself, so that a stray quote
    affects no line but its own.
#}
{%- macro join_multiline_records(scan) -%}
    {%- call statement(auto_begin=false) -%}
        create or replace temp table load_lines as {{ numbered_lines(scan) }}
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
                -- lines in invalid UTF-8 are missing here
                count(*) = last_line - first_line + 1
                -- a line that is a complete record is not part of another
                and not bool_or(line_number > first_line and {{ is_whole_record('record', scan) }})
        ),

        whole as (
            select
                *,
                -- a span that begins where the previous one ends would use that line twice
                first_line = lag(last_line) over (order by first_line) as begins_inside
            from joined
            where {{ is_whole_record('record', scan) }}
        )

        select first_line, last_line, record from whole
        where begins_inside is not true
    {%- endcall -%}
{%- endmacro -%}

{# SQL condition that a record has as many fields as the header. #}
{%- macro is_whole_record(record, scan) -%}
    regexp_full_match(',' || {{ record }}, '({{ csv_field_pattern() }}){{ '{' ~ scan.columns | length ~ '}' }}')
{%- endmacro -%}

{# line_number and record; reason says why a record cannot be parsed, and is null otherwise. #}
{%- macro json_records(scan) -%}
    select
        *,
        case
            when contains(record, chr(0)) or contains(record, '\u0000') then 'nul_byte'
            when not {{ is_json_object('record') }} then 'not_a_json_object'
        end as reason
    from ({{ numbered_lines(scan) }})
    where trim(record) <> ''
{%- endmacro -%}
