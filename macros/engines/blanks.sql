{# What may stand around a value without being part of it, as an SQL expression. #}
{%- macro blanks() -%}
    ' ' || chr(9) || chr(10) || chr(13)
{%- endmacro -%}
