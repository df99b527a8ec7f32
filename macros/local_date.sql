{%- macro local_date(instant) -%}
    {{ return(adapter.dispatch('local_date')(instant)) }}
{%- endmacro -%}

{# By way of whole microseconds, which costs half of a second `at time zone`. #}
{%- macro duckdb__local_date(instant) -%}
    cast(make_timestamptz(epoch_us({{ instant }})) at time zone '{{ var("reporting_timezone") }}' as date)
{%- endmacro -%}

{%- macro redshift__local_date(instant) -%}
    cast(({{ instant }} at time zone 'UTC') at time zone '{{ var("reporting_timezone") }}' as date)
{%- endmacro -%}
