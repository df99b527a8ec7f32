{# Before a run: stops it if a var is invalid or unknown, with its name, its value and what is allowed. #}
{%- macro validate_vars() -%}
    {#- dbt 2 does not compare itself with require-dbt-version -#}
    {%- if dbt_version.split('.')[0] | int > 1 -%}
        {{ exceptions.raise_compiler_error(
            "dbt " ~ dbt_version ~ " cannot run this project yet: docs/dbt-engines.md says why. Use dbt Core 1.11."
        ) }}
    {%- endif -%}
    {%- if project_name != 'flyer_analytics' -%}
        {{ exceptions.raise_compiler_error(
            "flyer_analytics is no package: its schemas, settings and increments work only if it is run by itself. Take it"
            ~ " out of packages.yml of '" ~ project_name ~ "', build it in its own folder, and declare its marts as sources."
        ) }}
    {%- endif -%}
    {%- if execute -%}
        {%- set zones = ['reporting_timezone', 'source_timezone'] -%}
        {%- set limits = {'max_gap_secs': 1, 'inactivity_timeout_secs': 1, 'max_clock_skew_secs': 0} -%}
        {%- set known = settings_vars() + ['recompute_dates', 'stale_after_minutes'] -%}

        {%- if 'vars' not in invocation_args_dict -%}
            {%- do exceptions.warn("This version of dbt does not say which vars were given: an unknown one is ignored.") -%}
        {%- endif -%}
        {%- for name in invocation_args_dict.get('vars', {}) if name not in known -%}
            {{ exceptions.raise_compiler_error(
                "var '" ~ name ~ "' is unknown. The project has " ~ known | join(', ')
            ) }}
        {%- endfor -%}
        {%- for name in zones -%}
            {%- if not modules.pytz.all_timezones -%}
                {#- dbt 2 has no list of zones; this raises an error that names the value -#}
                {%- do modules.pytz.timezone(var(name)) -%}
            {%- elif var(name) not in modules.pytz.all_timezones -%}
                {{ stop_on_var(name, "an IANA time zone such as America/Toronto or UTC") }}
            {%- endif -%}
        {%- endfor -%}
        {%- for name, least in limits.items() -%}
            {#- dbt 2 reads a chain of comparisons from the left, as (a <= b) <= c -#}
            {%- if var(name) is not integer or var(name) is boolean or var(name) < least or var(name) > 86400 -%}
                {{ stop_on_var(name, "a whole number of seconds from " ~ least ~ " to 86400 (a day)") }}
            {%- endif -%}
        {%- endfor -%}
        {%- if var('min_readers') is not integer or var('min_readers') is boolean or var('min_readers') < 1 -%}
            {{ stop_on_var('min_readers', "a whole number of people, 1 or more") }}
        {%- endif -%}
        {%- if not is_date(var('earliest_event_date') | string) -%}
            {{ stop_on_var('earliest_event_date', "a date written YYYY-MM-DD, year 1900 or later") }}
        {%- endif -%}
        {%- if date_range(var('recompute_dates')) is none -%}
            {{ stop_on_var('recompute_dates', "a date written YYYY-MM-DD, or a first and a last one with / between them") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro stop_on_var(name, allowed) -%}
    {{ exceptions.raise_compiler_error(
        "var '" ~ name ~ "' is '" ~ var(name) ~ "'; it must be " ~ allowed ~ ". Set it in dbt_project.yml or with --vars."
    ) }}
{%- endmacro -%}
