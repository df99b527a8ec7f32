{# One instant for the whole load, later than that of any load before: increments tell new rows by it. #}
{%- macro loaded_at() -%}
    cast(getvariable('loaded_at') as timestamp)
{%- endmacro -%}
