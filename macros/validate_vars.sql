{# Stops the run with the var's name, its value and what is allowed, before any model could use it. #}
{%- macro validate_vars() -%}
    {%- if execute -%}
        {%- set known_zones = modules.pytz.all_timezones -%}
        {%- for name in ['reporting_timezone', 'source_timezone'] if var(name) not in known_zones -%}
            {{ stop_on_var(name, "an IANA time zone such as America/Toronto or UTC") }}
        {%- endfor -%}
        {%- for name in ['max_gap_secs', 'inactivity_timeout_secs'] -%}
            {%- if var(name) is not integer or var(name) is boolean or not 1 <= var(name) <= 86400 -%}
                {{ stop_on_var(name, "a whole number of seconds from 1 to 86400 (a day)") }}
            {%- endif -%}
        {%- endfor -%}
        {%- set skew = var('max_clock_skew_secs') -%}
        {%- if skew is not integer or skew is boolean or not 0 <= skew <= 86400 -%}
            {{ stop_on_var('max_clock_skew_secs', "a whole number of seconds from 0 to 86400 (a day)") }}
        {%- endif -%}
        {%- set calendar_date = '^(19[0-9]{2}|2[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$' -%}
        {%- if not modules.re.match(calendar_date, var('earliest_event_date') | string) -%}
            {{ stop_on_var('earliest_event_date', "a date written YYYY-MM-DD, year 1900 or later, day 28 at most") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro stop_on_var(name, allowed) -%}
    {{ exceptions.raise_compiler_error(
        "var '" ~ name ~ "' is " ~ (var(name) | tojson) ~ "; it must be " ~ allowed
        ~ ". Set it in dbt_project.yml or with --vars."
    ) }}
{%- endmacro -%}
