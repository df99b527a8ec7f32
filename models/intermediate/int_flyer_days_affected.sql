{#
    Like int_flyer_days_touched, but with the days on which the views and sessions began that reach into a touched one.
#}

with

days_touched as (

    select * from {{ ref('int_flyer_days_touched') }}

),

days_of_views as (

    select
        user_key,
        view_date as date
    from {{ ref('int_flyer_events_sequenced') }}
    where {{ is_in_days('days_touched') }}

),

days_of_sessions as (

    select
        user_key,
        session_date as date
    from {{ ref('int_flyer_session_parts') }}
    where {{ is_in_days('days_touched') }}

),

user_days as (

    select * from days_touched
    union
    select * from days_of_views
    union
    select * from days_of_sessions

),

users as (

    select * from {{ ref('stg_flyer_app__users') }}

)

select
    ---------- keys, and the id by which marts know the user
    user_days.user_key,
    users.user_id,
    user_days.date
from user_days
inner join users on user_days.user_key = users.user_key
