-- a user looks at one flyer at a time: no view starts while the one before it
-- is still on screen
{% set measured_micros = 'cast(coalesce(view_secs, 0) * 1000000 as bigint)' -%}

with

views_with_next as (

    select
        view_id,
        started_at,
        last_event_at,
        {{ dateadd('microsecond', measured_micros, 'started_at') }}
            as measured_until,
        lead(started_at) over (
            partition by user_id
            order by started_at, last_event_at, coalesce(view_secs, 0)
        ) as next_started_at
    from {{ ref('int_flyer_views') }}

)

select *
from views_with_next
where next_started_at < measured_until or next_started_at < last_event_at
