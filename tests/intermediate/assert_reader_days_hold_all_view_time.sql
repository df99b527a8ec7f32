-- Reader days add up view_secs, which the last event of each view has. The same
-- time is the sum of on_screen_secs over all events of the views.
{%- set days = 'int_flyer_days_to_aggregate' %}

with

flyer_events as (

    select
        user_key,
        flyer_key,
        view_date as date,
        sum(on_screen_secs) as view_secs,
        count(distinct view_started_at) as fewest_views
    from {{ ref('int_flyer_events_in_views') }}
    where
        {{ is_touched(days, ['date'], recomputed=false) }}
        and {{ is_touched(days, ['view_date']) }}
        and {{ is_touched(days, ['user_key', 'view_date']) }}
    group by user_key, flyer_key, view_date

),

reader_days as (

    select * from {{ ref('int_flyer_reader_days') }}
    where
        views > 0
        and {{ is_touched(days) }}

)

select
    flyer_events.*,
    reader_days.view_secs as view_secs_of_reader_day,
    reader_days.views
from flyer_events
full outer join reader_days
    on
        flyer_events.user_key = reader_days.user_key
        and flyer_events.flyer_key = reader_days.flyer_key
        and flyer_events.date = reader_days.date
where
    flyer_events.user_key is null
    or reader_days.user_key is null
    or coalesce(flyer_events.view_secs, -1)
    <> coalesce(reader_days.view_secs, -1)
    or reader_days.views < flyer_events.fewest_views
