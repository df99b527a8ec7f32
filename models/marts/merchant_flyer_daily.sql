{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_dates(ref('int_flyer_days_affected')) }}",
) }}

{#
    What a merchant may see. Every figure of a cell is left out when too few readers stand behind it; a total over what
    is left holds nothing of what was left out.
#}
{%- set published = 'readers >= ' ~ var('min_readers') -%}
{%- set time_published = 'measured_readers >= ' ~ var('min_readers') -%}

with

flyer_days as (

    select * from {{ ref('int_flyer_daily') }}
    {%- if is_incremental() %}
        where {{ is_on_dates(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

favorites as (

    select * from {{ ref('int_flyer_favorites') }}
    {%- if is_incremental() %}
        where {{ is_on_dates(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

merchant_favorites as (

    select
        merchant_id,
        date,
        sum(favorites) as favorites
    from favorites
    group by merchant_id, date

),

flyer_days_with_favorites as (

    select
        flyer_days.*,
        coalesce(merchant_favorites.favorites, 0) as merchant_favorites
    from flyer_days
    left join merchant_favorites
        on
            flyer_days.merchant_id = merchant_favorites.merchant_id
            and flyer_days.date = merchant_favorites.date

)

select
    ---------- keys
    merchant_id,
    flyer_id,
    date,

    ---------- readers
    not {{ published }} as is_suppressed,
    case when {{ published }} then readers end as readers,

    ---------- view time
    case when {{ published }} then views end as views,
    case when {{ published }} then measured_views end as measured_views,
    case when {{ time_published }} then {{ rounded('view_secs') }} end
        as total_view_secs,
    case
        when {{ time_published }}
            then {{ rounded('view_secs', 'measured_views') }}
    end as avg_view_secs,
    case
        when {{ time_published }}
            then {{ rounded('middle_secs', 'middle_views') }}
    end as median_view_secs,

    ---------- what readers did
    case when {{ published }} then items_opened end as items_opened,
    case when {{ published }} then views_to_other_merchants end
        as views_to_other_merchants,
    case
        when {{ published }}
            then {{ rounded('views_to_other_merchants', 'views', 4) }}
    end as share_to_other_merchants,
    case when {{ published }} then cast(merchant_favorites as bigint) end
        as merchant_favorites
from flyer_days_with_favorites
{{ clustered_by('date') }}
