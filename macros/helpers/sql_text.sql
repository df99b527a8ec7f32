{%- macro sql_text(value) -%}
    {{ return(adapter.dispatch('sql_text')(value)) }}
{%- endmacro -%}

{%- macro duckdb__sql_text(value) -%}
    '{{ value | replace("'", "''") }}'
{%- endmacro -%}

{# In Redshift's literals, a backslash is an escape character. #}
{%- macro redshift__sql_text(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "''") }}'
{%- endmacro -%}
