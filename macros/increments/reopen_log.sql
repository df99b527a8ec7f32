{#
    Before an increment: a user who came back went idle, however long ago, where the log had ended. All other ends of
    views are decided within the touched days.
#}
{%- macro reopen_log(session_parts, days_touched) -%}
    {%- if is_incremental() -%}
        update {{ this }} set end_reason = 'idle'
        from (
            select user_id as returned_user_id, max(last_screen_at) as returned_at
            from {{ session_parts }}
            where {{ is_in_days(days_touched) }}
            group by user_id
        ) as returns
        where end_reason = 'end_of_log' and user_id = returned_user_id and last_event_at < returned_at
    {%- endif -%}
{%- endmacro -%}
