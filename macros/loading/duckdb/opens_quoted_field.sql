{%- macro opens_quoted_field(line) -%}
    contains({{ line }}, '"') and regexp_full_match(',' || {{ line }}, '({{ csv_field_pattern() }})*,"([^"]|"")*')
{%- endmacro -%}
