{%- macro last_build() -%}
    {{ return(query_once(
        'select cast(completed_to as varchar(30)) as completed_to, cast(staged_to as varchar(30)) as staged_to, settings,'
        ~ ' reads from ' ~ build_state()
    ) | first) }}
{%- endmacro -%}
