{#
    Like int_flyer_days_touched, but with the days on which the views and sessions began that reach into a touched one.
#}

with

days_touched as (

    select * from {{ ref('int_flyer_days_touched') }}

),

days_of_views as (

    select
        user_id,
        view_date as date
    from {{ ref('int_flyer_events_sequenced') }}
    where {{ is_in_days('days_touched') }}

),

days_of_sessions as (

    select
        user_id,
        session_date as date
    from {{ ref('int_flyer_session_parts') }}
    where {{ is_in_days('days_touched') }}

)

select distinct
    ---------- keys
    user_id,
    date
from (
    select * from days_touched
    union all
    select * from days_of_views
    union all
    select * from days_of_sessions
) as user_days
