{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_on_dates(ref('int_flyer_days_affected'))) }}",
) }}

{#
    Whole dates are made again, as readers, who are counted, and the median are of all users together.
#}

with

flyer_views as (

    select * from {{ ref('int_flyer_views') }}
    {%- if is_incremental() %}
        where {{ is_on_dates(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

-- The median is worked out from places: as a function it can stand beside no
-- other figure on Redshift, and is no decimal on DuckDB.
views_by_length as (

    select
        *,
        row_number() over (
            partition by merchant_id, flyer_id, date
            order by view_secs nulls last
        ) as place,
        count(view_secs) over (
            partition by merchant_id, flyer_id, date
        ) as measured
    from flyer_views

),

readers as (

    select
        merchant_id,
        flyer_id,
        date,
        user_id,
        count(*) as views,
        count(view_secs) as measured_views,
        sum(view_secs) as view_secs,
        -- one place in the middle, or two
        sum(
            case
                when 2 * place between measured and measured + 2
                    then view_secs
            end
        ) as middle_secs,
        count(
            case
                when 2 * place between measured and measured + 2
                    then view_secs
            end
        ) as middle_views,
        sum(items_opened) as items_opened,
        count(case when went_to_other_merchant then 1 end)
            as views_to_other_merchants
    from views_by_length
    group by merchant_id, flyer_id, date, user_id

)

select
    ---------- keys
    merchant_id,
    flyer_id,
    date,

    ---------- readers
    count(*) as readers,
    count(case when measured_views > 0 then 1 end) as measured_readers,

    ---------- measures
    cast(sum(views) as bigint) as views,
    cast(sum(measured_views) as bigint) as measured_views,
    cast(sum(view_secs) as decimal(18, 6)) as view_secs,
    cast(sum(middle_secs) as decimal(18, 6)) as middle_secs,
    cast(sum(middle_views) as bigint) as middle_views,
    cast(sum(items_opened) as bigint) as items_opened,
    cast(sum(views_to_other_merchants) as bigint)
        as views_to_other_merchants
from readers
group by merchant_id, flyer_id, date
{{ clustered_by('date') }}
