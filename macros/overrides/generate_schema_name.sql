{# Production targets use the schema names as written; any other target (a developer's own) puts its schema in front. #}
{%- macro generate_schema_name(custom_schema_name, node) -%}
    {#- DuckDB could not tell raw.flyer_events in a file called raw.duckdb from a table of its main schema -#}
    {%- if target.type == 'duckdb' and target.database in [custom_schema_name, 'main', 'temp', 'system'] -%}
        {{ exceptions.raise_compiler_error(
            "The database is called '" ~ target.database ~ "', as one of the schemas in it: name another file in"
            ~ " FLYER_DUCKDB_PATH, such as flyer_analytics.duckdb"
        ) }}
    {%- endif -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name in ['duckdb', 'published', 'redshift'] -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro -%}
