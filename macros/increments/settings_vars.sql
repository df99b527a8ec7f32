{%- macro settings_vars() -%}
    {{ return([
        'reporting_timezone', 'source_timezone', 'max_gap_secs', 'inactivity_timeout_secs', 'max_clock_skew_secs',
        'earliest_event_date', 'min_readers',
    ]) }}
{%- endmacro -%}
