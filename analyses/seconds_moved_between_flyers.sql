-- How many seconds time spent credits to a flyer that was not on screen: it
-- gives the time between two flyer events to the flyer that is opened at the
-- end of it, though the one opened before was on screen.
--
-- opened_secs are what measure 1 credits to the flyer; shown_secs the same gaps
-- credited to the flyer before. Where one flyer gains another loses, so half of
-- all differences is what moves between flyers.
with

flyer_events as (

    select
        events.user_key,
        events.event_at,
        events.source_row,
        events.gap_secs,
        actions.flyer_id,
        actions.merchant_id,
        md5(
            actions.event
            || '|' || actions.flyer_id
            || '|' || coalesce(actions.merchant_id, '')
        ) as event_hash
    from {{ ref('int_flyer_events_sequenced') }} as events
    inner join {{ ref('stg_flyer_app__actions') }} as actions
        on events.action_key = actions.action_key

),

gaps as (

    select
        merchant_id,
        flyer_id,
        gap_secs,
        lag(merchant_id) over (
            partition by user_key
            order by event_at, source_row nulls last, event_hash
        ) as shown_merchant_id,
        lag(flyer_id) over (
            partition by user_key
            order by event_at, source_row nulls last, event_hash
        ) as shown_flyer_id
    from flyer_events

),

credits as (

    select
        merchant_id,
        flyer_id,
        gap_secs as opened_secs,
        0 as shown_secs
    from gaps
    where gap_secs is not null

    union all

    select
        shown_merchant_id as merchant_id,
        shown_flyer_id as flyer_id,
        0 as opened_secs,
        gap_secs as shown_secs
    from gaps
    where gap_secs is not null

),

flyers as (

    select
        merchant_id,
        flyer_id,
        sum(opened_secs) as opened_secs,
        sum(shown_secs) as shown_secs,
        abs(sum(opened_secs) - sum(shown_secs)) as difference
    from credits
    group by merchant_id, flyer_id

)

select
    merchant_id,
    flyer_id,
    opened_secs,
    shown_secs,
    cast(sum(difference) over () as double precision) / 2 as all_moved_secs,
    round(
        50 * cast(sum(difference) over () as double precision)
        / nullif(sum(opened_secs) over (), 0), 1
    ) as moved_percent
from flyers
order by
    difference desc nulls last,
    merchant_id asc nulls last,
    flyer_id asc
