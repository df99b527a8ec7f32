{%- macro is_unprocessed(is_increment, event_at=none, new_dates=none) -%}
    {%- set dates = date_range(var('recompute_dates')) if event_at else [] -%}
    {%- if not is_increment -%}
        true
    {%- else -%}
        {%- set staged = '(select _loaded_at from ' ~ this ~ ' where ' ~ is_listed(new_dates, true, columns=['date'])
            ~ ') as staged' if new_dates else this -%}
        (
            _loaded_at > {{ watermark(staged) }}
            {%- if dates %}
            or (
                {{ is_date_to_recompute(local_date(event_at)) }}
                {#- var max_clock_skew_secs lets an event be loaded at most a day before it happens -#}
                and _loaded_at > {{ dateadd('day', -3, "cast('" ~ dates[0] ~ "' as timestamp)") }}
            )
            {%- endif %}
        )
        {%- if new_dates %}
        and _loaded_at <= {{ watermark(new_dates) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
