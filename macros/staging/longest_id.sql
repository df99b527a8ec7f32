{%- macro longest_id() -%}
    256
{%- endmacro -%}
