{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_rebuild') -%}

{#
    The one place that puts a user's events in order. A row depends only on the same user's events within reach, so an
    increment computes a day from its own events and those of the days beside it.
#}
{%- set timeline = 'partition by user_key order by event_at, source_row nulls last, tie_order' -%}
{%- set max_gap_micros = var('max_gap_secs') ~ '000000' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' %}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}
    where {{ is_listed(days, is_increment) }}

),

actions as (

    select * from {{ ref('int_flyer_actions') }}

),

-- Neutral events do not change the screen, so they are left out. A screen
-- without a known flyer has flyer_key 0.
screens as (

    select
        events.user_key,
        events.action_key,
        events.event_at,
        events.date,
        events.source_row,
        actions.tie_order,
        actions.merchant_key,
        coalesce(actions.flyer_key, 0) as flyer_key,
        case when actions.flyer_key is not null then events.event_at end
            as flyer_event_at
    from events
    inner join actions on events.action_key = actions.action_key
    where actions.role <> 'neutral'

),

screens_with_neighbours as (

    select
        *,
        lag(flyer_key) over ({{ timeline }}) as previous_flyer_key,
        last_value(flyer_event_at ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and 1 preceding
        ) as previous_flyer_event_at,
        lead(event_at) over ({{ timeline }}) as next_screen_at,
        lead(flyer_key) over ({{ timeline }}) as next_flyer_key,
        lead(merchant_key) over ({{ timeline }}) as next_merchant_key
    from screens

),

-- Whole microseconds: exact to compare and to add.
flyer_events_with_distances as (

    select
        *,
        {{ datediff('previous_flyer_event_at', 'event_at', 'microsecond') }}
            as micros_since_flyer_event,
        {{ datediff('event_at', 'next_screen_at', 'microsecond') }}
            as micros_to_next_screen
    from screens_with_neighbours
    where flyer_key > 0

),

flyer_events as (

    select
        *,
        coalesce(
            previous_flyer_key = flyer_key
            and micros_since_flyer_event < {{ timeout_micros }}, false
        ) as continues_view,
        case
            when
                next_screen_at is null
                or micros_to_next_screen >= {{ timeout_micros }}
                then 'idle'
            when next_flyer_key = 0 then 'left'
            when next_flyer_key <> flyer_key then 'next_flyer'
        end as view_end_reason
    from flyer_events_with_distances

)

select
    ---------- keys
    user_key,
    action_key,
    flyer_key,

    ---------- time
    event_at,
    date,
    source_row,

    ---------- measures
    cast(
        case
            when micros_since_flyer_event < {{ max_gap_micros }}
                then micros_since_flyer_event * 0.000001
        end as decimal(18, 6)
    ) as gap_secs,
    cast(
        case
            when micros_to_next_screen < {{ timeout_micros }}
                then micros_to_next_screen * 0.000001
        end as decimal(18, 6)
    ) as on_screen_secs,

    ---------- view
    continues_view,
    view_end_reason,
    case
        when view_end_reason = 'next_flyer'
            then next_merchant_key <> merchant_key
    end as went_to_other_merchant
from flyer_events
where {{ is_listed(days, is_increment, recomputed=true) }}
{{ clustered_by('date') }}
