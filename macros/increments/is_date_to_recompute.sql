{%- macro is_date_to_recompute(date, days_beside=0) -%}
    {%- set dates = date_range(var('recompute_dates')) -%}
    {%- if dates -%}
        {{ date }} between {{ dateadd('day', -days_beside, "cast('" ~ dates[0] ~ "' as date)") }}
        and {{ dateadd('day', days_beside, "cast('" ~ dates[1] ~ "' as date)") }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro -%}
