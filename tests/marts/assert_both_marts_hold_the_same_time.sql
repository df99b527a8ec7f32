-- summed over a user's day, the merchant mart holds what the user mart holds;
-- each of its rows may be off by half a cent of rounding
with

users as (

    select * from {{ ref('user_daily_avg_flyer_time') }}

),

merchants_by_user_day as (

    select
        user_id,
        date,
        sum(total_time_spent_in_secs) as total_time_spent_in_secs,
        sum(measured_gaps) as measured_gaps,
        sum(total_view_secs) as total_view_secs,
        sum(measured_views) as measured_views,
        sum(views) as views,
        0.005 * (count(*) + 1) as rounding
    from {{ ref('merchant_flyer_engagement') }}
    group by user_id, date

)

select
    users.user_id as user_in_user_mart,
    merchants_by_user_day.user_id as user_in_merchant_mart,
    coalesce(users.date, merchants_by_user_day.date) as date
from users
full outer join merchants_by_user_day
    on
        users.user_id = merchants_by_user_day.user_id
        and users.date = merchants_by_user_day.date
where
    users.user_id is null
    or merchants_by_user_day.user_id is null
    or users.measured_gaps <> merchants_by_user_day.measured_gaps
    or users.measured_views <> merchants_by_user_day.measured_views
    or users.views <> merchants_by_user_day.views
    or abs(
        coalesce(users.total_time_spent_in_secs, 0)
        - coalesce(merchants_by_user_day.total_time_spent_in_secs, 0)
    ) > rounding
    or abs(
        coalesce(users.total_view_secs, 0)
        - coalesce(merchants_by_user_day.total_view_secs, 0)
    ) > rounding
