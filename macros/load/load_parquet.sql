{%- macro scan_parquet(file) -%}
    {%- call statement('columns', fetch_result=true, auto_begin=false) -%}
        select column_name from (describe from read_parquet({{ as_pattern(file) }}, hive_partitioning = false))
    {%- endcall -%}
    {%- set columns = load_result('columns').table.columns[0].values() | map('lower') | list -%}
    {%- set present = event_columns() | select('in', columns) | list -%}
    {%- call statement('scan', fetch_result=true, auto_begin=false) -%}
        select bit_xor(md5_number(concat_ws(chr(31), row_number {%- for column in present -%}
            , coalesce(cast("{{ column }}" as varchar), chr(30)) {%- endfor -%}
        ))) as fingerprint
        from ({{ numbered_parquet_rows(file) }})
    {%- endcall -%}
    {{ return({
        'columns': columns,
        'is_empty': false,
        'has_unreadable_header': false,
        'fingerprint': load_result('scan').table.rows[0]['fingerprint'] | string,
    }) }}
{%- endmacro -%}

{%- macro numbered_parquet_rows(file) -%}
    select *, row_number() over () as row_number from read_parquet({{ as_pattern(file) }}, hive_partitioning = false)
{%- endmacro -%}

{%- macro insert_parquet_rows(file) -%}
    {%- set texts -%}
        {%- for column in event_columns() %} cast("{{ column }}" as varchar){{ ',' if not loop.last }}{% endfor -%}
    {%- endset -%}
    {%- set holds_nul -%} contains(concat({{ texts }}), chr(0)) {%- endset -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.flyer_events
        select {{ texts }}, {{ sql_text(file) }}, row_number, {{ loaded_at() }}
        from ({{ numbered_parquet_rows(file) }})
        where not {{ holds_nul }}
    {%- endcall -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.rejected_lines
        select {{ sql_text(file) }}, row_number, concat_ws(',', {{ texts }}), 'nul_byte', {{ loaded_at() }}
        from ({{ numbered_parquet_rows(file) }})
        where {{ holds_nul }}
    {%- endcall -%}
{%- endmacro -%}
