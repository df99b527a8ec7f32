{# In Redshift's literals, a backslash is an escape character. #}
{%- macro sql_text(value) -%}
    '{{ value | replace("'", "''") | replace("\\", "' || chr(92) || '") }}'
{%- endmacro -%}
