{#
    CSV and JSON lines are read line by line. DuckDB's own CSV reader loses everything after an unclosed quote and stops at
    mixed line endings; plain lines keep every good row and its line number, and take about a tenth longer.

    The fingerprint combines hashes of each line and its number, so that a large file takes no more memory than a small one.
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
        'lines': readable_lines(file),
        'is_empty': not scan['lines'] and not unreadable['lines'],
        'records': scan['lines'] - (1 if format_of(file) == 'csv' else 0),
        'fingerprint': scan['fingerprint'] ~ '-' ~ unreadable['fingerprint'],
        'has_unreadable_header': format_of(file) == 'csv' and (unreadable['header'] or scan['is_binary']),
        'has_open_lines': format_of(file) == 'csv' and scan['open_lines'] > 0,
        'has_unreadable_lines': unreadable['lines'] > 0,
    }) }}
{%- endmacro -%}

{# The column names of a CSV header line, in lower case, without byte-order mark, quotes and surrounding blanks. #}
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

{# Every key of any line of a JSON lines file. #}
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

{# The lines in valid UTF-8, in order: a CSV file of one column, with four characters that never occur together as delimiter. #}
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
