{%- macro sql_text(value) -%}
    '{{ value | replace("'", "''") }}'
{%- endmacro -%}
