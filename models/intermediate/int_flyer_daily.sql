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

-- The median comes from row numbers: Redshift allows no other aggregate beside
-- its median function, and DuckDB's returns no decimal.
flyer_events_by_length as (

    select
        flyer_events.*,
        case when actions.counts_as = 'item' then 1 else 0 end as is_item,
        row_number() over (
            partition by flyer_events.flyer_key, flyer_events.view_date
            order by flyer_events.view_secs nulls last
        ) as place,
        count(flyer_events.view_secs) over (
            partition by flyer_events.flyer_key, flyer_events.view_date
        ) as measured_views
    from flyer_events
    inner join actions on flyer_events.action_key = actions.action_key

),

-- The one view in the middle, or the two.
flyer_events_with_middles as (

    select
        *,
        case
            when 2 * place between measured_views and measured_views + 2
                then view_secs
        end as middle_secs
    from flyer_events_by_length

),

-- An item counts on the start date of the view in which it was opened.
flyer_days as (

    select
        flyer_key,
        view_date as date,
        count(view_end_reason) as views,
        count(view_secs) as measured_views,
        sum(view_secs) as view_secs,
        sum(middle_secs) as middle_secs,
        count(middle_secs) as middle_views,
        sum(is_item) as items_opened,
        count(case when went_to_other_merchant then 1 end)
            as views_to_other_merchants
    from flyer_events_with_middles
    group by flyer_key, view_date

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
    cast(flyer_days.middle_secs as decimal(18, 6)) as middle_secs,
    flyer_days.middle_views,
    cast(flyer_days.items_opened as bigint) as items_opened,
    flyer_days.views_to_other_merchants
from flyer_days
inner join readers
    on
        flyer_days.flyer_key = readers.flyer_key
        and flyer_days.date = readers.date
inner join actions on flyer_days.flyer_key = actions.action_key
{{ clustered_by('flyer_days.date') }}
