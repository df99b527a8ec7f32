{%- macro loaded_at() -%}
    cast(getvariable('loaded_at') as timestamp)
{%- endmacro -%}
