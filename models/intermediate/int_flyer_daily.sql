{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_on_dates(ref('int_flyer_days_affected'))) }}",
) }}

{#
    Whole dates are made again, as readers, who are counted, and the median are of all users together.
#}

with

reader_days as (

    select * from {{ ref('int_flyer_reader_days') }}
    where
        views > 0
        {%- if is_incremental() %}
            and {{ is_on_dates(ref('int_flyer_days_affected')) }}
        {%- endif %}

),

measured_views as (

    select
        flyer_key,
        view_date as date,
        view_secs
    from {{ ref('int_flyer_events_sequenced') }}
    where
        view_secs is not null
        {%- if is_incremental() %}
            and {{ is_on_dates(ref('int_flyer_days_affected'), 'view_date') }}
        {%- endif %}

),

flyers as (

    select * from {{ ref('int_flyer_merchant_flyers') }}

),

flyer_days as (

    select
        flyer_key,
        date,
        count(*) as readers,
        count(case when measured_views > 0 then 1 end) as measured_readers,
        sum(views) as views,
        sum(measured_views) as measured_views,
        sum(view_secs) as view_secs,
        sum(items_opened) as items_opened,
        sum(views_to_other_merchants) as views_to_other_merchants
    from reader_days
    group by flyer_key, date

),

-- The median is worked out from places: as a function it can stand beside no
-- other figure on Redshift, and is no decimal on DuckDB.
views_by_length as (

    select
        *,
        row_number() over (
            partition by flyer_key, date
            order by view_secs nulls last
        ) as place
    from measured_views

),

-- One place in the middle, or two.
middles as (

    select
        views_by_length.flyer_key,
        views_by_length.date,
        sum(views_by_length.view_secs) as middle_secs,
        count(*) as middle_views
    from views_by_length
    inner join flyer_days
        on
            views_by_length.flyer_key = flyer_days.flyer_key
            and views_by_length.date = flyer_days.date
    where
        2 * views_by_length.place
        between flyer_days.measured_views and flyer_days.measured_views + 2
    group by views_by_length.flyer_key, views_by_length.date

)

select
    ---------- keys
    flyers.merchant_id,
    flyers.flyer_id,
    flyer_days.flyer_key,
    flyer_days.date,

    ---------- readers
    flyer_days.readers,
    flyer_days.measured_readers,

    ---------- measures
    cast(flyer_days.views as bigint) as views,
    cast(flyer_days.measured_views as bigint) as measured_views,
    cast(flyer_days.view_secs as decimal(18, 6)) as view_secs,
    cast(middles.middle_secs as decimal(18, 6)) as middle_secs,
    coalesce(middles.middle_views, 0) as middle_views,
    cast(flyer_days.items_opened as bigint) as items_opened,
    cast(flyer_days.views_to_other_merchants as bigint)
        as views_to_other_merchants
from flyer_days
inner join flyers on flyer_days.flyer_key = flyers.flyer_key
left join middles
    on
        flyer_days.flyer_key = middles.flyer_key
        and flyer_days.date = middles.date
{{ clustered_by('flyer_days.date') }}
