{# Characters that an id may have. #}
{%- macro longest_id() -%}
    256
{%- endmacro -%}
