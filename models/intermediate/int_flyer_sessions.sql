with

events as (

    select * from {{ ref('int_flyer_events_sequenced') }}

),

-- Counting the starts so far gives every event of a session the same number.
events_numbered as (

    select
        *,
        sum(starts_session) over (
            partition by user_id
            order by event_at, source_row nulls last, event_id
            rows between unbounded preceding and current row
        ) as session_number
    from events

),

sessions as (

    select
        max(case when starts_session = 1 then event_id end) as session_id,
        user_id,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        min(date) as date,
        count(*) as events,
        sum(shows_flyer) as flyer_events
    from events_numbered
    group by user_id, session_number

),

-- Opening the shopping list alone is no flyer session.
flyer_sessions as (

    select * from sessions
    where flyer_events > 0

)

select
    ---------- ids
    session_id,
    user_id,

    ---------- time
    started_at,
    ended_at,
    date,

    ---------- measures
    events,
    cast(flyer_events as bigint) as flyer_events
from flyer_sessions
