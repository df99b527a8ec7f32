{%- macro is_raw_row_to_recompute(event_at, loaded_at) -%}
    {%- set dates = date_range(var('recompute_dates')) -%}
    {%- if dates -%}
        (
            {{ is_date_to_recompute(local_date(event_at)) }}
            -- An event is loaded at most a day before it happens (var
            -- max_clock_skew_secs), so older loads need not be read.
            and {{ loaded_at }} > {{ dateadd('day', -3, "cast('" ~ dates[0] ~ "' as timestamp)") }}
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro -%}
