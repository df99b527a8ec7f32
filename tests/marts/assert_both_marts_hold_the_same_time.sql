-- Summed over a user's day, the merchant mart equals the user mart. Each of its
-- rows may be off by half a cent of rounding.
{%- set is_touched_day =
    is_touched('int_flyer_days_to_aggregate', ['user_id', 'date']) %}

with

user_days as (

    select
        user_id,
        date,
        measured_gaps,
        measured_views,
        views,
        coalesce(total_time_spent_in_secs, 0) as time_spent,
        coalesce(total_view_secs, 0) as view_time
    from {{ ref('user_daily_avg_flyer_time') }}
    where {{ is_touched_day }}

),

merchant_days_by_user as (

    select
        user_id,
        date,
        sum(measured_gaps) as measured_gaps,
        sum(measured_views) as measured_views,
        sum(views) as views,
        coalesce(sum(total_time_spent_in_secs), 0) as time_spent,
        coalesce(sum(total_view_secs), 0) as view_time,
        0.005 * (count(*) + 1) as tolerance
    from {{ ref('merchant_flyer_engagement') }}
    where {{ is_touched_day }}
    group by user_id, date

)

select
    user_days.user_id as user_in_user_mart,
    by_merchant.user_id as user_in_merchant_mart,
    coalesce(user_days.date, by_merchant.date) as date
from user_days
full outer join merchant_days_by_user as by_merchant
    on
        user_days.user_id = by_merchant.user_id
        and user_days.date = by_merchant.date
where
    user_days.user_id is null
    or by_merchant.user_id is null
    or user_days.measured_gaps <> by_merchant.measured_gaps
    or user_days.measured_views <> by_merchant.measured_views
    or user_days.views <> by_merchant.views
    or abs(user_days.time_spent - by_merchant.time_spent)
    > by_merchant.tolerance
    or abs(user_days.view_time - by_merchant.view_time) > by_merchant.tolerance
