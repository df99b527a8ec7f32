{%- macro is_unprocessed(is_increment, event_at=none) -%}
    {%- set dates = date_range(var('recompute_dates')) if event_at else [] -%}
    {%- if not is_increment -%}
        true
    {%- elif not dates -%}
        _loaded_at > {{ watermark(this) }}
    {%- else -%}
        {#- var max_clock_skew_secs lets an event be loaded at most a day before it happens, so older loads need no look -#}
        (
            _loaded_at > {{ watermark(this) }}
            or (
                {{ is_date_to_recompute(local_date(event_at)) }}
                and _loaded_at > {{ dateadd('day', -3, "cast('" ~ dates[0] ~ "' as timestamp)") }}
            )
        )
    {%- endif -%}
{%- endmacro -%}
