{%- macro csv_field_pattern() -%}
    ,("([^"]|"")*"|[^",][^,]*|)
{%- endmacro -%}
