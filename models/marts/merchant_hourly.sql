{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_on_dates(ref('int_flyer_days_affected'))) }}",
) }}

{#
    When a merchant's flyers are read, from the flyers and dates alone that merchant_flyer_daily shows. Hours with too few
    readers go together under no hour, and with them the hour with the fewest readers of those left: so a difference to
    the day's total is always of enough readers.
#}

with

flyer_days as (

    select * from {{ ref('int_flyer_daily') }}
    {%- if is_incremental() %}
        where {{ is_on_dates(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

shown_flyer_days as (

    select * from flyer_days
    where readers >= {{ var('min_readers') }}

),

-- The last event of a view knows it.
flyer_views as (

    select
        user_key,
        flyer_key,
        view_date as date,
        extract(hour from {{ local_time('view_started_at') }}) as hour
    from {{ ref('int_flyer_events_sequenced') }}
    where
        view_end_reason is not null
        {%- if is_incremental() %}
            and {{ is_on_dates(ref('int_flyer_days_affected'), 'view_date') }}
        {%- endif %}

),

-- In two steps, as different readers of many hours are dear to count at once.
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
        sum(views) as views
    from reader_hours
    group by merchant_id, date, hour

),

-- readers first, then the hour: one number to find the smallest by
merchant_days as (

    select
        merchant_id,
        date,
        min(readers) as fewest_readers,
        min(
            case
                when readers >= {{ var('min_readers') }}
                    then 100 * readers + hour
            end
        ) as smallest_hour
    from hours
    group by merchant_id, date

),

hours_to_show as (

    select
        hours.merchant_id,
        hours.date,
        hours.views,
        case
            when hours.readers < {{ var('min_readers') }} then null
            when
                merchant_days.fewest_readers < {{ var('min_readers') }}
                and merchant_days.smallest_hour
                = 100 * hours.readers + hours.hour
                then null
            else hours.hour
        end as hour,
        hours.readers
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
