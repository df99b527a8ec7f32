{{ config(materialized='view') }}

{#
    Nearly every event starts a view of its own, so a table of views would repeat the events. Marts read what they need
    from the last event of each view.
#}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_in_views') }}

),

users as (

    select * from {{ ref('int_flyer_users') }}

),

actions as (

    select * from {{ ref('int_flyer_actions') }}

),

flyer_events_with_items as (

    select
        flyer_events.*,
        case when actions.counts_as = 'item' then 1 else 0 end as is_item
    from flyer_events
    inner join actions on flyer_events.action_key = actions.action_key

),

-- Views of one user that start at the same instant start with different actions.
views as (

    select
        user_key,
        view_started_at,
        view_action_key,
        view_date,
        max(event_at) as last_event_at,
        count(*) as events,
        sum(is_item) as items_opened,
        cast(max(view_secs) as decimal(18, 6)) as view_secs,
        max(view_end_reason) as end_reason,
        max(case when went_to_other_merchant then 1 else 0 end)
            as went_to_other_merchant
    from flyer_events_with_items
    group by user_key, view_started_at, view_action_key, view_date

),

last_screens as (

    select
        user_key,
        max(last_screen_at) as last_screen_at
    from {{ ref('int_flyer_session_parts') }}
    group by user_key

)

select
    ---------- ids
    users.user_id,
    actions.flyer_id,
    actions.merchant_id,

    ---------- time
    views.view_started_at as started_at,
    actions.event as started_with,
    views.last_event_at,
    views.view_date as date,

    ---------- measures
    views.events,
    cast(views.items_opened as bigint) as items_opened,
    views.view_secs,

    ---------- end
    case
        when
            views.end_reason = 'idle'
            and views.last_event_at >= last_screens.last_screen_at
            then 'end_of_log'
        else views.end_reason
    end as end_reason,
    views.went_to_other_merchant = 1 as went_to_other_merchant
from views
inner join users on views.user_key = users.user_key
inner join actions on views.view_action_key = actions.action_key
inner join last_screens on views.user_key = last_screens.user_key
