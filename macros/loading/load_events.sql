{%- macro load_events(path, copies=none) -%}
    {{ return(adapter.dispatch('load_events')(path, copies)) }}
{%- endmacro -%}

{%- macro duckdb__load_events(path, copies) -%}
    {%- do load_local_files(path) -%}
{%- endmacro -%}

{%- macro redshift__load_events(path, copies) -%}
    {%- do load_from_s3(path, copies) -%}
{%- endmacro -%}
