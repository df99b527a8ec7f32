{#
    The one place that puts a user's events in order. Everything downstream is a sum over what is worked out here.
    source_row is null for events whose position is not known.
#}
{%- set timeline = 'order by event_at, source_row nulls last, event_id' -%}
{%- set max_gap_micros = var('max_gap_secs') ~ '000000' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' -%}

with

events as (

    select * from {{ ref('stg_flyer_app__events') }}

),

-- What each event does to the screen. An item of an unknown flyer changes the
-- screen, yet shows no flyer that could be named.
events_with_screens as (

    select
        *,
        case
            when role = 'shows_flyer' and flyer_id is not null then 1 else 0
        end as shows_flyer,
        case when role = 'neutral' then 0 else 1 end as changes_screen
    from events

),

-- Each event beside its neighbours of the same kind: any event for sessions,
-- flyer events for time spent, screens for view time.
events_with_neighbours as (

    select
        *,
        lag(event_at) over (
            partition by user_id
            {{ timeline }}
        ) as previous_event_at,
        lag(event_at) over (
            partition by user_id, shows_flyer
            {{ timeline }}
        ) as previous_flyer_event_at,
        lag(event_at) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as previous_screen_at,
        lag(case when shows_flyer = 1 then flyer_id end) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as previous_screen_flyer_id,
        lag(merchant_id) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as previous_screen_merchant_id,
        lead(event_at) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as next_screen_at,
        lead(case when shows_flyer = 1 then flyer_id end) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as next_screen_flyer_id,
        lead(merchant_id) over (
            partition by user_id, changes_screen
            {{ timeline }}
        ) as next_screen_merchant_id
    from events_with_screens

),

-- Whole microseconds: exact to compare and to add.
events_with_distances as (

    select
        *,
        {{ datediff('previous_event_at', 'event_at', 'microsecond') }}
            as micros_since_event,
        {{ datediff('previous_flyer_event_at', 'event_at', 'microsecond') }}
            as micros_since_flyer_event,
        {{ datediff('previous_screen_at', 'event_at', 'microsecond') }}
            as micros_since_screen,
        {{ datediff('event_at', 'next_screen_at', 'microsecond') }}
            as micros_to_next_screen
    from events_with_neighbours

),

-- A missing merchant is a merchant of its own.
events_with_continuity as (

    select
        *,
        case
            when
                previous_screen_flyer_id = flyer_id
                and coalesce(previous_screen_merchant_id, '')
                = coalesce(merchant_id, '')
                and micros_since_screen < {{ timeout_micros }}
                then 1
            else 0
        end as continues_view,
        case
            when
                next_screen_flyer_id = flyer_id
                and coalesce(next_screen_merchant_id, '')
                = coalesce(merchant_id, '')
                and micros_to_next_screen < {{ timeout_micros }}
                then 1
            else 0
        end as is_continued
    from events_with_distances

),

events_measured as (

    select
        *,
        case
            when
                shows_flyer = 1
                and micros_since_flyer_event < {{ max_gap_micros }}
                then cast(micros_since_flyer_event * 0.000001 as decimal(18, 6))
        end as gap_secs,
        case
            when
                shows_flyer = 1
                and micros_to_next_screen < {{ timeout_micros }}
                then cast(micros_to_next_screen * 0.000001 as decimal(18, 6))
        end as on_screen_secs,
        case
            when shows_flyer = 1 then 1 - continues_view else 0
        end as starts_view,
        case
            when shows_flyer = 0 or is_continued = 1 then null
            when next_screen_at is null then 'end_of_log'
            when micros_to_next_screen >= {{ timeout_micros }} then 'idle'
            when next_screen_flyer_id is not null then 'next_flyer'
            else 'left'
        end as view_end_reason,
        case
            when micros_since_event < {{ timeout_micros }} then 0 else 1
        end as starts_session
    from events_with_continuity

)

select
    ---------- ids
    event_id,
    user_id,
    flyer_id,
    merchant_id,

    ---------- event
    event,
    shows_flyer,

    ---------- time
    event_at,
    date,
    source_row,

    ---------- measures
    gap_secs,
    on_screen_secs,

    ---------- bounds
    starts_view,
    view_end_reason,
    starts_session
from events_measured
