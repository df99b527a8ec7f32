{%- macro blanks() -%}
    ' ' || chr(9) || chr(10) || chr(13)
{%- endmacro -%}
