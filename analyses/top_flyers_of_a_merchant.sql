-- The flyers of one merchant, those that held attention longest first.
with

engagement as (

    select * from {{ ref('merchant_flyer_engagement') }}

),

-- The merchant to look at: put its id in place of the query, such as
-- select '2609' as merchant_id. As it stands, the one with most view time.
merchant as (

    select merchant_id
    from engagement
    where merchant_id is not null
    group by merchant_id
    order by sum(total_view_secs) desc nulls last, merchant_id asc
    limit 1

)

select
    engagement.flyer_id,
    count(distinct engagement.user_id) as readers,
    sum(engagement.views) as views,
    sum(engagement.total_view_secs) as view_secs,
    round(
        cast(sum(engagement.total_view_secs) as double precision)
        / nullif(sum(engagement.measured_views), 0), 2
    ) as avg_view_secs,
    round(
        cast(sum(engagement.total_view_secs) as double precision)
        / nullif(count(distinct engagement.user_id), 0), 2
    ) as secs_per_reader
from engagement
inner join merchant on engagement.merchant_id = merchant.merchant_id
group by engagement.flyer_id
order by view_secs desc nulls last, engagement.flyer_id asc
