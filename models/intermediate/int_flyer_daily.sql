{{ config(unique_key=['date'], dist='merchant_id') }}
{%- set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

{#
    Reader counts and medians span all users, so an increment recomputes whole dates.
#}

with

reader_days as (

    select * from {{ ref('int_flyer_reader_days') }}
    where
        views > 0
        and {{ is_listed(
            days, is_increment, columns=['date'], recomputed=true
        ) }}

),

flyer_events as (

    select * from {{ ref('int_flyer_events_in_views') }}
    where
        {{ is_listed(days, is_increment, columns=['date']) }}
        and {{ is_listed(
            days, is_increment, columns=['view_date'], recomputed=true
        ) }}

),

actions as (

    select * from {{ ref('int_flyer_actions') }}

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

-- An item counts on the start date of the view in which it was opened.
flyer_days as (

    select
        flyer_events.flyer_key,
        flyer_events.view_date as date,
        count(flyer_events.view_end_reason) as views,
        count(flyer_events.view_secs) as measured_views,
        sum(flyer_events.view_secs) as view_secs,
        count(case when actions.counts_as = 'item' then 1 end) as items_opened,
        count(case when flyer_events.went_to_other_merchant then 1 end)
            as views_to_other_merchants
    from flyer_events
    inner join actions on flyer_events.action_key = actions.action_key
    group by flyer_events.flyer_key, flyer_events.view_date

),

-- The median comes from row numbers: Redshift allows no other aggregate beside
-- its median function, and DuckDB's returns no decimal.
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

-- The one view in the middle, or the two.
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
    actions.merchant_id,
    actions.flyer_id,
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
inner join actions on flyer_days.flyer_key = actions.action_key
left join middles
    on
        flyer_days.flyer_key = middles.flyer_key
        and flyer_days.date = middles.date
{{ clustered_by('flyer_days.date') }}
