{# An existing table is left as it is: in production the role that builds may lack the privilege to create tables here. #}
{%- macro create_raw_tables() -%}
    {%- if execute -%}
        {%- set missing = [] -%}
        {%- for table in graph.sources.values() if adapter.get_relation(target.database, 'raw', table.name) is none -%}
            {%- do missing.append(table) -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do run_query('create schema if not exists ' ~ adapter.quote('raw')) -%}
        {%- endif -%}
        {%- for table in missing -%}
            {%- call statement(auto_begin=false) -%}
                create table if not exists {{ adapter.quote('raw') }}.{{ table.name }} (
                    {%- for column in table.columns.values() %}
                    {{ adapter.quote(column.name) }} {{ column.data_type }}{{ ',' if not loop.last }}
                    {%- endfor %}
                )
                {{ raw_table_design() }}
            {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro raw_table_design() -%}
    {{ return(adapter.dispatch('raw_table_design')()) }}
{%- endmacro -%}

{%- macro duckdb__raw_table_design() -%}
{%- endmacro -%}

{# Sorted by load, since an increment reads the last loads. Not distributed by user: no join could use ids before cleaning. #}
{%- macro redshift__raw_table_design() -%}
    diststyle even sortkey (_loaded_at)
{%- endmacro -%}
