{#
    The three tables that loading fills. They are made empty where they are missing, so that a build before the first
    load, and a load before the first build, find them. An existing table is left as it is: in production the role that
    builds may have no right to create here.
#}
{%- macro create_raw_tables() -%}
    {%- if execute -%}
        {#- the longest that Redshift has; DuckDB takes no notice of a length -#}
        {%- set text_type = 'varchar(65535)' -%}
        {%- set tables = {
            'flyer_events': [
                ('timestamp', text_type), ('user_id', text_type), ('event', text_type), ('flyer_id', text_type),
                ('merchant_id', text_type), ('_source_file', text_type), ('_source_row', 'bigint'),
                ('_loaded_at', 'timestamp'),
            ],
            'rejected_lines': [
                ('file', text_type), ('line_number', 'bigint'), ('line', text_type), ('reason', text_type),
                ('_loaded_at', 'timestamp'),
            ],
            'loaded_files': [
                ('file', text_type), ('fingerprint', text_type), ('rows_loaded', 'bigint'),
                ('lines_rejected', 'bigint'), ('_loaded_at', 'timestamp'),
            ],
        } -%}
        {%- set missing = [] -%}
        {%- for name in tables -%}
            {%- if adapter.get_relation(target.database, 'raw', name) is none -%}{%- do missing.append(name) -%}{%- endif -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do run_query('create schema if not exists ' ~ adapter.quote('raw')) -%}
        {%- endif -%}
        {%- for name in missing -%}
            {%- call statement(auto_begin=false) -%}
                create table if not exists {{ adapter.quote('raw') }}.{{ name }} (
                    {%- for column, type in tables[name] %}
                    {{ adapter.quote(column) }} {{ type }}{{ ',' if not loop.last }}
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

{# By load, as an increment reads the last ones. Not by user: raw ids are not cleaned, so no join could use it. #}
{%- macro redshift__raw_table_design() -%}
    diststyle even sortkey (_loaded_at)
{%- endmacro -%}
