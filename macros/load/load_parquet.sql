{%- macro scan_parquet(file) -%}
    {%- call statement('columns', fetch_result=true, auto_begin=false) -%}
        select column_name from (describe from read_parquet({{ sql_text(file) }}))
    {%- endcall -%}
    {%- set columns = load_result('columns').table.columns[0].values() | map('lower') | list -%}
    {%- set present = event_columns() | select('in', columns) | list -%}
    {%- call statement('scan', fetch_result=true, auto_begin=false) -%}
        select bit_xor(md5_number(concat_ws(chr(31), file_row_number {%- for column in present -%}
            , coalesce(cast("{{ column }}" as varchar), chr(30)) {%- endfor -%}
        ))) as fingerprint
        from read_parquet({{ sql_text(file) }}, file_row_number = true)
    {%- endcall -%}
    {{ return({
        'columns': columns,
        'is_empty': false,
        'fingerprint': load_result('scan').table.rows[0]['fingerprint'] | string,
    }) }}
{%- endmacro -%}

{%- macro insert_parquet_rows(file) -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.flyer_events
        select
            {% for column in event_columns() -%}
            cast("{{ column }}" as varchar),
            {% endfor -%}
            {{ sql_text(file) }},
            file_row_number + 1,
            {{ loaded_at() }}
        from read_parquet({{ sql_text(file) }}, file_row_number = true)
    {%- endcall -%}
{%- endmacro -%}
