{# Calendar date of an instant in the reporting time zone. #}
{%- macro local_date(instant) -%}
    cast({{ local_time(instant) }} as date)
{%- endmacro -%}
