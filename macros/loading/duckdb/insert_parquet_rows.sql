{%- macro insert_parquet_rows(file, scan) -%}
    {%- set holds_nul -%} contains(concat({{ scan.texts }}), chr(0)) {%- endset -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.flyer_events
        select {{ scan.texts }}, {{ sql_text(file) }}, row_number, {{ loaded_at() }}
        from ({{ scan.rows }})
        where not {{ holds_nul }}
    {%- endcall -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.rejected_lines
        select {{ sql_text(file) }}, row_number, concat_ws(',', {{ scan.texts }}), 'nul_byte', {{ loaded_at() }}
        from ({{ scan.rows }})
        where {{ holds_nul }}
    {%- endcall -%}
{%- endmacro -%}
