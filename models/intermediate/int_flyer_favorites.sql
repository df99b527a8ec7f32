{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_touched'))) }}",
) }}

with

events as (

    select * from {{ ref('stg_flyer_app__events') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_touched')) }}
    {%- endif %}

),

favorite_events as (

    select event from {{ ref('stg_flyer_app__event_types') }}
    where counts_as = 'favorite'

)

select
    ---------- keys
    user_id,
    merchant_id,
    date,

    ---------- measures
    count(*) as favorites
from events
where event in (select event from favorite_events)
group by user_id, merchant_id, date
{{ clustered_by('date') }}
