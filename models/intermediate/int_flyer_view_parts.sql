{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_rebuild') -%}

{#
    The start of a view, for views of several events: most views have one and need no look at others. A view that spans
    midnight has one part per date, so that an increment needs no other day to find the start of a part.
#}
{%- set timeline = 'partition by user_key order by event_at, source_row nulls last, tie_order' %}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}
    where
        (continues_view or view_end_reason is null)
        and {{ is_listed(days, is_increment) }}

),

actions as (

    select * from {{ ref('int_flyer_actions') }}

),

flyer_events_with_previous as (

    select
        flyer_events.*,
        actions.tie_order,
        lag(flyer_events.date) over ({{ timeline }}) as previous_date
    from flyer_events
    inner join actions on flyer_events.action_key = actions.action_key

),

-- An event that does not continue a part starts one. It is carried over
-- midnight if its view began on another date.
part_starts as (

    select
        *,
        case
            when continues_view and previous_date = date then null
            else event_at
        end as start_at,
        case
            when continues_view and previous_date = date then null
            else action_key
        end as start_action_key,
        case
            when not continues_view then 0
            when previous_date <> date then 1
        end as start_is_carried
    from flyer_events_with_previous

),

events_in_parts as (

    select
        *,
        last_value(start_at ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as part_started_at,
        last_value(start_action_key ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as part_action_key,
        last_value(start_is_carried ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as is_carried,
        lead(start_is_carried) over ({{ timeline }}) as next_is_carried
    from part_starts

)

select
    ---------- keys
    user_key,
    action_key,

    ---------- time
    event_at,
    date,

    ---------- part
    part_started_at,
    part_action_key,

    ---------- midnight
    is_carried = 1 as is_carried,
    coalesce(next_is_carried = 1, false) as goes_on
from events_in_parts
where {{ is_listed(days, is_increment, recomputed=true) }}
{{ clustered_by('date') }}
