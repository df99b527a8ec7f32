{%- macro local_date(instant) -%}
    cast({{ local_time(instant) }} as date)
{%- endmacro -%}
