{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

{#
    When a merchant's flyers are read, over the flyers and dates that merchant_flyer_daily shows. Hours with too few
    readers are combined without an hour, together with the shown hour that has the fewest readers. So the difference
    from the day's total never belongs to few readers.
#}

with

shown_flyer_days as (

    select * from {{ ref('int_flyer_daily') }}
    where
        readers >= {{ var('min_readers') }}
        and {{ is_listed(
            days, is_increment, columns=['date'], recomputed=true
        ) }}

),

-- The last event of a view stands for the view.
flyer_views as (

    select
        user_key,
        flyer_key,
        view_date as date,
        extract(hour from {{ local_time('view_started_at') }}) as hour
    from {{ ref('int_flyer_events_in_views') }}
    where
        view_end_reason is not null
        and {{ is_listed(days, is_increment, columns=['date']) }}
        and {{ is_listed(
            days, is_increment, columns=['view_date'], recomputed=true
        ) }}

),

-- `count(distinct)` over many hours is expensive, so views are first reduced to
-- one row per reader and hour.
reader_hours as (

    select
        flyer_days.merchant_id,
        flyer_views.date,
        flyer_views.hour,
        flyer_views.user_key,
        count(*) as views
    from flyer_views
    inner join shown_flyer_days as flyer_days
        on
            flyer_views.flyer_key = flyer_days.flyer_key
            and flyer_views.date = flyer_days.date
    group by
        flyer_days.merchant_id,
        flyer_views.date,
        flyer_views.hour,
        flyer_views.user_key

),

hours as (

    select
        merchant_id,
        date,
        hour,
        count(*) as readers,
        sum(views) as views,
        count(*) >= {{ var('min_readers') }} as has_readers
    from reader_hours
    group by merchant_id, date, hour

),

-- Of two hours with equally few readers, the earlier one: compared as
-- readers * 100 + hour.
merchant_days as (

    select
        merchant_id,
        date,
        min(case when has_readers then 100 * readers + hour end)
            as fewest_readers_and_hour,
        count(case when not has_readers then 1 end) as hidden_hours
    from hours
    group by merchant_id, date

),

hours_to_show as (

    select
        hours.merchant_id,
        hours.date,
        case
            when
                hours.has_readers
                and (
                    merchant_days.hidden_hours = 0
                    or 100 * hours.readers + hours.hour
                    > merchant_days.fewest_readers_and_hour
                )
                then hours.hour
        end as hour,
        hours.readers,
        hours.views
    from hours
    inner join merchant_days
        on
            coalesce(hours.merchant_id, '')
            = coalesce(merchant_days.merchant_id, '')
            and hours.date = merchant_days.date

)

select
    ---------- keys
    merchant_id,
    date,
    cast(hour as integer) as hour,

    ---------- measures
    case when hour is not null then max(readers) end as readers,
    cast(sum(views) as bigint) as views
from hours_to_show
group by merchant_id, date, hour
{{ clustered_by('date') }}
