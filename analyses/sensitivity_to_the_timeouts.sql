-- Each measure under shorter and longer limits. The limit of time_spent is var
-- max_gap_secs, that of view_time is var inactivity_timeout_secs.
--
-- measured counts the gaps or screens within the limit, unmeasured the others. A
-- screen is one flyer event with the time until the next screen event; a flyer
-- view adds up one or more of them.
{%- set timeline = 'event_at, source_row nulls last, tie_order' %}

with

events as (

    select
        events.user_key,
        events.event_at,
        events.source_row,
        actions.tie_order,
        case when actions.flyer_key is not null then 1 else 0 end as shows_flyer
    from {{ ref('stg_flyer_app__events_keyed') }} as events
    inner join {{ ref('int_flyer_actions') }} as actions
        on events.action_key = actions.action_key
    where actions.role <> 'neutral'

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
            partition by user_key, shows_flyer
            order by {{ timeline }}
        ) as previous_flyer_event_at,
        event_at,
        lead(event_at) over (
            partition by user_key
            order by {{ timeline }}
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
