{#
    dbt run-operation load_events --args '{path: "events/*.csv"}'       (on Redshift: load_from_s3.sql)

    Fills raw.flyer_events from a file, a glob or a folder, in one transaction: a load that dies leaves nothing behind.
    A file whose content is already there is skipped, whatever its name. A file that cannot be used at all (no header,
    a column missing) keeps no other file from loading, and is an error at the end.
#}
{%- macro load_events(path, copies=none) -%}
    {{ return(adapter.dispatch('load_events')(path, copies)) }}
{%- endmacro -%}

{%- macro duckdb__load_events(path, copies) -%}
    {%- do load_local_files(path) -%}
{%- endmacro -%}

{%- macro redshift__load_events(path, copies) -%}
    {%- do load_from_s3(path, copies) -%}
{%- endmacro -%}
