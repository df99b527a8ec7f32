{%- macro count_of_this_load(table, file_column, file) -%}
    {%- call statement('count_of_this_load', fetch_result=true, auto_begin=false) -%}
        select count(*) from raw.{{ table }}
        where _loaded_at = {{ loaded_at() }} and {{ file_column }} = {{ sql_text(file) }}
    {%- endcall -%}
    {{ return(load_result('count_of_this_load').table.columns[0].values() | first | int) }}
{%- endmacro -%}
