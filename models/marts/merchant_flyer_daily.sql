{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

{#
    What a merchant may see. Every figure based on too few readers is left out, so a total over the rows that are shown
    contains nothing of those that are not.
#}

with

flyer_days as (

    select * from {{ ref('int_flyer_daily') }}
    where {{ is_listed(
            days, is_increment, columns=['date'], recomputed=true
        ) }}

),

favorites as (

    select * from {{ ref('int_flyer_favorites') }}
    where {{ is_listed(
            days, is_increment, columns=['date'], recomputed=true
        ) }}

),

merchant_favorites as (

    select
        merchant_id,
        date,
        sum(favorites) as favorites,
        count(*) as people
    from favorites
    group by merchant_id, date

),

flyer_days_with_favorites as (

    select
        flyer_days.*,
        coalesce(merchant_favorites.favorites, 0) as merchant_favorites,
        coalesce(
            merchant_favorites.people >= {{ var('min_readers') }}, true
        ) as has_people_or_none,
        flyer_days.readers >= {{ var('min_readers') }} as has_readers,
        flyer_days.measured_readers >= {{ var('min_readers') }}
            as has_measured_readers
    from flyer_days
    left join merchant_favorites
        on
            flyer_days.merchant_id = merchant_favorites.merchant_id
            and flyer_days.date = merchant_favorites.date

),

figures_to_show as (

    select
        merchant_id,
        flyer_id,
        date,
        has_readers,
        case when has_readers then readers end as readers,
        case when has_readers then views end as views,
        case when has_readers then measured_views end as measured_views,
        case when has_measured_readers then view_secs end as view_secs,
        case when has_measured_readers then middle_secs end as middle_secs,
        middle_views,
        case when has_readers then items_opened end as items_opened,
        case when has_readers then views_to_other_merchants end
            as views_to_other_merchants,
        case when has_readers and has_people_or_none then merchant_favorites end
            as merchant_favorites
    from flyer_days_with_favorites

)

select
    ---------- keys
    merchant_id,
    flyer_id,
    date,

    ---------- readers
    not has_readers as is_suppressed,
    readers,

    ---------- view time
    views,
    measured_views,
    {{ rounded('view_secs') }} as total_view_secs,
    {{ rounded('view_secs', 'measured_views') }} as avg_view_secs,
    {{ rounded('middle_secs', 'middle_views') }} as median_view_secs,

    ---------- what readers did
    items_opened,
    views_to_other_merchants,
    {{ rounded('views_to_other_merchants', 'views', 4) }}
        as share_to_other_merchants,
    cast(merchant_favorites as bigint) as merchant_favorites
from figures_to_show
{{ clustered_by('date') }}
