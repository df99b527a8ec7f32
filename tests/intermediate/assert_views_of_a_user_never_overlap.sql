-- A user looks at one flyer at a time: no view starts while the previous one is
-- still on screen.
with

views_with_next as (

    select
        user_id,
        flyer_id,
        merchant_id,
        started_at,
        started_with,
        last_event_at,
        view_secs,
        lead(started_at) over (
            partition by user_id
            order by started_at, last_event_at, coalesce(view_secs, 0)
        ) as next_started_at
    from {{ ref('int_flyer_views') }}

),

views_with_distance as (

    select
        *,
        {{ datediff('started_at', 'next_started_at', 'microsecond') }}
        * 0.000001 as secs_to_next_view
    from views_with_next

)

select *
from views_with_distance
where secs_to_next_view < view_secs or next_started_at < last_event_at
