{%- macro generate_schema_name(custom_schema_name, node) -%}
    {#- in a file named raw.duckdb, DuckDB would read raw.flyer_events as a table of the main schema -#}
    {%- if target.type == 'duckdb' and target.database in [custom_schema_name, 'main', 'temp', 'system'] -%}
        {{ exceptions.raise_compiler_error(
            "The database '" ~ target.database ~ "' has the name of one of its schemas: choose another file name in"
            ~ " FLYER_DUCKDB_PATH, such as flyer_analytics.duckdb"
        ) }}
    {%- endif -%}
    {#- dbt puts the name into SQL as it is, and reads the path as a URL -#}
    {%- if target.type == 'duckdb' and ("'" in target.database or '"' in target.database or '#' in target.path or '?' in target.path) -%}
        {{ exceptions.raise_compiler_error(
            "dbt cannot build in " ~ target.path ~ ": choose a path without # and ?, and a file name without quotes, in"
            ~ " FLYER_DUCKDB_PATH"
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
