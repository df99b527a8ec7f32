{{ config(materialized='view') }}

{#
    Nearly every event starts a view of its own. The others have a part of a view, and where that was carried over
    midnight, the start of the view is on another date.
#}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}

),

view_parts as (

    select * from {{ ref('int_flyer_view_parts') }}

),

carried_parts as (

    select * from {{ ref('int_flyer_views_over_midnight') }}

),

view_parts_with_starts as (

    select
        view_parts.user_key,
        view_parts.action_key,
        view_parts.event_at,
        view_parts.date,
        coalesce(carried.view_started_at, view_parts.part_started_at)
            as view_started_at,
        coalesce(carried.view_action_key, view_parts.part_action_key)
            as view_action_key,
        coalesce(carried.view_date, view_parts.date) as view_date
    from view_parts
    left join carried_parts as carried
        on
            view_parts.user_key = carried.user_key
            and view_parts.part_started_at = carried.part_started_at
            and view_parts.part_action_key = carried.part_action_key

),

events_in_views as (

    select
        flyer_events.*,
        coalesce(parts.view_started_at, flyer_events.event_at)
            as view_started_at,
        coalesce(parts.view_action_key, flyer_events.action_key)
            as view_action_key,
        coalesce(parts.view_date, flyer_events.date) as view_date
    from flyer_events
    left join view_parts_with_starts as parts
        on
            flyer_events.date = parts.date
            and flyer_events.user_key = parts.user_key
            and flyer_events.event_at = parts.event_at
            and flyer_events.action_key = parts.action_key

)

select
    ---------- keys
    user_key,
    action_key,
    flyer_key,

    ---------- time
    event_at,
    date,

    ---------- measures
    gap_secs,
    on_screen_secs,

    ---------- view
    view_started_at,
    view_action_key,
    view_date,

    ---------- on the last event of the view: all its events before were on
    ---------- screen until the next one
    cast(
        case
            when view_end_reason is null then null
            when continues_view
                then
                    {{ datediff('view_started_at', 'event_at', 'microsecond') }}
                    * 0.000001 + coalesce(on_screen_secs, 0)
            else on_screen_secs
        end as decimal(18, 6)
    ) as view_secs,
    view_end_reason,
    went_to_other_merchant
from events_in_views
