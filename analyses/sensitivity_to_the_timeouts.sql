-- What the two limits do to the figures of these events: each measure under
-- shorter and longer limits. The limit of time_spent is var max_gap_secs, that
-- of view_time is var inactivity_timeout_secs.
--
-- measured is the number of gaps or of screens that count, unmeasured those at
-- or over the limit. A screen is one flyer event with the time until the next
-- screen event; a flyer view adds up one or more of them.
with

events as (

    select
        *,
        case when role = 'shows_flyer' and flyer_id is not null then 1 else 0
        end as shows_flyer,
        md5(
            event
            || '|' || coalesce(flyer_id, '')
            || '|' || coalesce(merchant_id, '')
        ) as event_hash
    from {{ ref('stg_flyer_app__events') }}
    where role <> 'neutral'

),

limits as (

    select 300 as limit_secs
    union all
    select 900 as limit_secs
    union all
    select 1800 as limit_secs
    union all
    select 3600 as limit_secs
    union all
    select 7600 as limit_secs
    union all
    select 14400 as limit_secs

),

durations as (

    select
        shows_flyer,
        lag(event_at) over (
            partition by user_id, shows_flyer
            order by event_at, source_row nulls last, event_hash
        ) as previous_flyer_event_at,
        event_at,
        lead(event_at) over (
            partition by user_id
            order by event_at, source_row nulls last, event_hash
        ) as next_screen_at
    from events

),

seconds as (

    select
        'time_spent' as measure,
        {{ datediff('previous_flyer_event_at', 'event_at', 'microsecond') }}
        * 0.000001 as secs
    from durations
    where shows_flyer = 1 and previous_flyer_event_at is not null

    union all

    select
        'view_time' as measure,
        {{ datediff('event_at', 'next_screen_at', 'microsecond') }}
        * 0.000001 as secs
    from durations
    where shows_flyer = 1 and next_screen_at is not null

)

select
    seconds.measure,
    limits.limit_secs,
    sum(case when seconds.secs < limits.limit_secs then 1 else 0 end)
        as measured,
    sum(case when seconds.secs < limits.limit_secs then 0 else 1 end)
        as unmeasured,
    sum(case when seconds.secs < limits.limit_secs then seconds.secs else 0 end)
        as total_secs,
    round(
        avg(
            case
                when seconds.secs < limits.limit_secs
                    then cast(seconds.secs as double precision)
            end
        ), 2
    ) as avg_secs
from seconds
cross join limits
group by seconds.measure, limits.limit_secs
order by seconds.measure, limits.limit_secs
