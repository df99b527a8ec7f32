{%- macro scan_parquet(file) -%}
    {%- call statement('columns', fetch_result=true, auto_begin=false) -%}
        select lower(column_name) as name, column_type as type
        from (describe from read_parquet({{ as_pattern(file) }}, hive_partitioning = false))
    {%- endcall -%}
    {%- set types = {} -%}
    {%- for column in load_result('columns').table.rows -%}
        {%- do types.update({column['name']: column['type']}) -%}
    {%- endfor -%}
    {%- set texts = [] -%}
    {%- for column in event_columns() if column in types -%}
        {%- do texts.append(parquet_text(column, types[column])) -%}
    {%- endfor -%}
    {%- call statement('scan', fetch_result=true, auto_begin=false) -%}
        select bit_xor(md5_number(concat_ws(chr(31), row_number {%- for text in texts -%}
            , coalesce({{ text }}, chr(30)) {%- endfor -%}
        ))) as fingerprint
        from ({{ numbered_parquet_rows(file) }})
    {%- endcall -%}
    {{ return({
        'columns': types | list,
        'is_empty': false,
        'has_unreadable_header': false,
        'fingerprint': load_result('scan').table.rows[0]['fingerprint'] | string,
        'texts': texts | join(', '),
        'rows': numbered_parquet_rows(file),
    }) }}
{%- endmacro -%}

{# The file's rows with their numbers in the file. #}
{%- macro numbered_parquet_rows(file) -%}
    select *, row_number() over () as row_number from read_parquet({{ as_pattern(file) }}, hive_partitioning = false)
{%- endmacro -%}

{# A column as text. Data frames turn integer ids into floating point if one is missing: 2268.0 is the id 2268. #}
{%- macro parquet_text(column, type) -%}
    {%- if type in ['DOUBLE', 'FLOAT'] -%}
        regexp_replace(cast("{{ column }}" as varchar), '[.]0$', '')
    {%- else -%}
        cast("{{ column }}" as varchar)
    {%- endif -%}
{%- endmacro -%}
