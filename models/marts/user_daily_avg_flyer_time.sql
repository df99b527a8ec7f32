{{ config(unique_key=['user_id', 'date'], dist='user_id', sort='date') }}
{%- set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

with

reader_days as (

    select * from {{ ref('int_flyer_reader_days') }}
    where {{ is_listed(days, is_increment, recomputed=true) }}

),

flyer_sessions as (

    select * from {{ ref('int_flyer_sessions') }}
    where {{ is_listed(days, is_increment, recomputed=true) }}

),

flyers as (

    select * from {{ ref('int_flyer_actions') }}

),

users as (

    select * from {{ ref('int_flyer_users') }}

),

-- A flyer under two merchants is one flyer.
user_days as (

    select
        reader_days.user_key,
        reader_days.date,
        sum(reader_days.gap_secs) as gap_secs,
        sum(reader_days.measured_gaps) as measured_gaps,
        sum(reader_days.view_secs) as view_secs,
        sum(reader_days.measured_views) as measured_views,
        sum(reader_days.views) as views,
        count(distinct case when reader_days.views > 0 then flyers.flyer_id end)
            as flyers
    from reader_days
    inner join flyers on reader_days.flyer_key = flyers.action_key
    group by reader_days.user_key, reader_days.date

),

sessions_by_day as (

    select
        user_key,
        date,
        count(*) as sessions
    from flyer_sessions
    group by user_key, date

),

user_days_with_sessions as (

    select
        user_days.*,
        coalesce(sessions_by_day.sessions, 0) as sessions
    from user_days
    left join sessions_by_day
        on
            user_days.user_key = sessions_by_day.user_key
            and user_days.date = sessions_by_day.date

)

select
    ---------- keys
    users.user_id,
    user_days.date,

    ---------- measure 1: time spent
    {{ rounded('user_days.gap_secs', 'user_days.measured_gaps') }}
        as avg_time_spent_in_secs,
    {{ rounded('user_days.gap_secs') }} as total_time_spent_in_secs,
    cast(user_days.measured_gaps as bigint) as measured_gaps,

    ---------- measure 2: view time
    {{ rounded('user_days.view_secs', 'user_days.measured_views') }}
        as avg_view_secs,
    {{ rounded('user_days.view_secs') }} as total_view_secs,
    cast(user_days.measured_views as bigint) as measured_views,
    cast(user_days.views as bigint) as views,
    user_days.flyers,

    ---------- sessions
    user_days.sessions
from user_days_with_sessions as user_days
inner join users on user_days.user_key = users.user_key
{{ clustered_by('user_days.date') }}
