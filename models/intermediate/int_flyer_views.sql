with

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}
    where shows_flyer = 1

),

-- Counting the starts so far gives every event of a view the same number.
flyer_events_numbered as (

    select
        *,
        sum(starts_view) over (
            partition by user_id
            order by event_at, source_row nulls last, event_id
            rows between unbounded preceding and current row
        ) as view_number
    from flyer_events

),

views as (

    select
        max(case when starts_view = 1 then event_id end) as view_id,
        user_id,
        flyer_id,
        merchant_id,
        min(event_at) as started_at,
        max(event_at) as last_event_at,
        min(date) as date,
        count(*) as events,
        cast(sum(on_screen_secs) as decimal(18, 6)) as view_secs,
        max(view_end_reason) as end_reason
    from flyer_events_numbered
    group by user_id, view_number, flyer_id, merchant_id

)

select
    ---------- ids
    view_id,
    user_id,
    flyer_id,
    merchant_id,

    ---------- time
    started_at,
    last_event_at,
    date,

    ---------- measures
    events,
    view_secs,
    end_reason
from views
