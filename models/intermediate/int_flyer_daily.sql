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

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}
    {%- if is_incremental() %}
        where {{ is_on_dates(ref('int_flyer_days_affected'), 'view_date') }}
    {%- endif %}

),

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

),

flyers as (

    select * from {{ ref('int_flyer_merchant_flyers') }}

),

readers as (

    select
        flyer_key,
        date,
        count(*) as readers,
        count(case when measured_views > 0 then 1 end) as measured_readers
    from reader_days
    group by flyer_key, date

),

-- An item belongs to the date of the view that it was opened in.
flyer_days as (

    select
        flyer_events.flyer_key,
        flyer_events.view_date as date,
        count(flyer_events.view_end_reason) as views,
        count(flyer_events.view_secs) as measured_views,
        sum(flyer_events.view_secs) as view_secs,
        count(case when actions.counts_as = 'item' then 1 end) as items_opened,
        count(case when flyer_events.view_went_to_other_merchant then 1 end)
            as views_to_other_merchants
    from flyer_events
    inner join actions on flyer_events.action_key = actions.action_key
    group by flyer_events.flyer_key, flyer_events.view_date

),

-- The median is worked out from places: as a function it can stand beside no
-- other figure on Redshift, and is no decimal on DuckDB.
views_by_length as (

    select
        flyer_key,
        view_date as date,
        view_secs,
        row_number() over (
            partition by flyer_key, view_date
            order by view_secs nulls last
        ) as place
    from flyer_events
    where view_secs is not null

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
    readers.readers,
    readers.measured_readers,

    ---------- measures
    flyer_days.views,
    flyer_days.measured_views,
    cast(flyer_days.view_secs as decimal(18, 6)) as view_secs,
    cast(middles.middle_secs as decimal(18, 6)) as middle_secs,
    coalesce(middles.middle_views, 0) as middle_views,
    flyer_days.items_opened,
    flyer_days.views_to_other_merchants
from flyer_days
inner join readers
    on
        flyer_days.flyer_key = readers.flyer_key
        and flyer_days.date = readers.date
inner join flyers on flyer_days.flyer_key = flyers.flyer_key
left join middles
    on
        flyer_days.flyer_key = middles.flyer_key
        and flyer_days.date = middles.date
{{ clustered_by('flyer_days.date') }}
