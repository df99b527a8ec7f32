{# A field with the comma before it: quoted, quotes inside doubled, or bare. A record is read with a comma put before it. #}
{%- macro csv_field_pattern() -%}
    ,("([^"]|"")*"|[^",][^,]*|)
{%- endmacro -%}
