{#
    Before an increment: a user who came back went idle, however long ago, where the log had ended. All other ends of
    views are decided within the touched days.
#}
{%- macro reopen_log(session_parts, days_touched) -%}
    {%- if is_incremental() -%}
        update {{ this }} set end_reason = 'idle'
        where end_reason = 'end_of_log'
            and exists (
                select 1
                from (
                    select user_id as returned_user_id, last_screen_at
                    from {{ session_parts }}
                    where {{ is_in_days(days_touched) }}
                ) as returns
                where returned_user_id = user_id and last_screen_at > last_event_at
            )
    {%- endif -%}
{%- endmacro -%}
