-- a user looks at one flyer at a time: no view starts before the one before it
-- was last seen on screen
with

views_with_next as (

    select
        view_id,
        user_id,
        started_at,
        {{ dateadd('microsecond', "cast(coalesce(view_secs, 0) * 1000000 as bigint)", 'started_at') }} as measured_until,
        last_event_at,
        lead(started_at) over (
            partition by user_id
            order by started_at, last_event_at, coalesce(view_secs, 0)
        ) as next_started_at
    from {{ ref('int_flyer_views') }}

)

select *
from views_with_next
where next_started_at < measured_until or next_started_at < last_event_at
