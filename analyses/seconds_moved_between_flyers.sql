-- How many seconds time spent credits to a flyer that was not on screen. It
-- credits the time between two flyer events to the flyer opened at its end,
-- although the one opened before was on screen.
--
-- opened_secs is what measure 1 credits to the flyer; shown_secs is the same
-- time credited to the flyer opened before. Where one flyer gains, another
-- loses, so half of all differences moves between flyers.
{%- set timeline =
    'partition by user_key order by event_at, source_row nulls last, tie_order' %}

with

flyer_events as (

    select
        events.user_key,
        events.event_at,
        events.source_row,
        actions.tie_order,
        actions.flyer_id,
        actions.merchant_id
    from {{ ref('stg_flyer_app__events_keyed') }} as events
    inner join {{ ref('int_flyer_actions') }} as actions
        on events.action_key = actions.action_key
    where actions.flyer_key is not null

),

flyer_events_with_previous as (

    select
        *,
        lag(event_at) over ({{ timeline }}) as shown_at,
        lag(flyer_id) over ({{ timeline }}) as shown_flyer_id,
        lag(merchant_id) over ({{ timeline }}) as shown_merchant_id
    from flyer_events

),

gaps as (

    select
        *,
        {{ datediff('shown_at', 'event_at', 'microsecond') }}
        * 0.000001 as gap_secs
    from flyer_events_with_previous

),

credits as (

    select
        merchant_id,
        flyer_id,
        gap_secs as opened_secs,
        0 as shown_secs
    from gaps
    where gap_secs < {{ var('max_gap_secs') }}

    union all

    select
        shown_merchant_id as merchant_id,
        shown_flyer_id as flyer_id,
        0 as opened_secs,
        gap_secs as shown_secs
    from gaps
    where gap_secs < {{ var('max_gap_secs') }}

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
