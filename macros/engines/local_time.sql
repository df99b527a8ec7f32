{%- macro local_time(instant) -%}
    {{ return(adapter.dispatch('local_time')(instant)) }}
{%- endmacro -%}

{# By way of whole microseconds, which costs half of a second `at time zone`. #}
{%- macro duckdb__local_time(instant) -%}
    make_timestamptz(epoch_us({{ instant }})) at time zone '{{ var("reporting_timezone") }}'
{%- endmacro -%}

{%- macro redshift__local_time(instant) -%}
    ({{ instant }} at time zone 'UTC') at time zone '{{ var("reporting_timezone") }}'
{%- endmacro -%}
