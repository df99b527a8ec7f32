-- How the two measures differ on these events: the time that each flyer is
-- credited with by time spent, beside the time that it was on screen.
--
-- Time spent credits a gap to the flyer that ends it, breaks included; view
-- time to the flyer that was on screen. As shares of the measure's total, a
-- flyer that gains on one side loses on the other, so half of the differences
-- added up is the share of time that stands at another flyer.
with

engagement as (

    select * from {{ ref('merchant_flyer_engagement') }}

),

flyers as (

    select
        merchant_id,
        flyer_id,
        coalesce(sum(total_time_spent_in_secs), 0) as time_spent_secs,
        coalesce(sum(total_view_secs), 0) as view_secs
    from engagement
    group by merchant_id, flyer_id

),

totals as (

    select
        sum(time_spent_secs) as all_time_spent_secs,
        sum(view_secs) as all_view_secs
    from flyers

),

flyers_with_shares as (

    select
        flyers.*,
        cast(flyers.time_spent_secs as double precision)
        / nullif(totals.all_time_spent_secs, 0) as time_spent_share,
        cast(flyers.view_secs as double precision)
        / nullif(totals.all_view_secs, 0) as view_share
    from flyers
    cross join totals

),

moved as (

    select
        *,
        abs(time_spent_share - view_share) / 2 as share_moved
    from flyers_with_shares

)

select
    merchant_id,
    flyer_id,
    time_spent_secs,
    view_secs,
    round(100 * share_moved, 2) as percent_moved,
    round(100 * sum(share_moved) over (), 1) as percent_moved_in_all
from moved
order by
    share_moved desc nulls last,
    merchant_id asc nulls last,
    flyer_id asc
