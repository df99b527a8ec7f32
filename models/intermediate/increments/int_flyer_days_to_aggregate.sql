{#
    The days for which an increment recomputes views, sessions and marts (is_recomputed): the rebuilt days, and the days
    on which views and sessions began that are carried into them. Beside these, the dates on which a view that began on
    such a date goes on: they are read for their events. Empty on a full build.
#}

with

days_to_rebuild as (

    select
        user_key,
        date
    from {{ ref('int_flyer_days_to_rebuild') }}
    where is_recomputed

),

over_midnight as (

    select
        user_key,
        date,
        view_date as start_date
    from {{ ref('int_flyer_views_over_midnight') }}

    union all

    select
        user_key,
        date,
        session_date as start_date
    from {{ ref('int_flyer_sessions_over_midnight') }}

),

start_days as (

    select
        carried.user_key,
        carried.start_date as date
    from over_midnight as carried
    inner join days_to_rebuild
        on
            carried.user_key = days_to_rebuild.user_key
            and carried.date = days_to_rebuild.date

),

days_to_recompute as (

    select * from days_to_rebuild
    union
    select * from start_days

),

-- Of every user, since readers and medians span all users of a date. Sessions
-- find their parts by themselves: one may go on for a hundred dates.
days_to_read as (

    select
        user_key,
        date
    from {{ ref('int_flyer_views_over_midnight') }}
    where view_date in (select date from days_to_recompute)

    union

    select * from days_to_recompute

),

users as (

    select * from {{ ref('stg_flyer_app__users') }}

)

select
    ---------- keys, and the id by which marts know the user
    days_to_read.user_key,
    users.user_id,
    days_to_read.date,

    ---------- what an increment does with the day
    days_to_recompute.user_key is not null as is_recomputed
from days_to_read
inner join users on days_to_read.user_key = users.user_key
left join days_to_recompute
    on
        days_to_read.user_key = days_to_recompute.user_key
        and days_to_read.date = days_to_recompute.date
