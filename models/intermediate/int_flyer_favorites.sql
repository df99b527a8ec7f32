{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_touched'))) }}",
) }}

with

events as (

    select * from {{ ref('stg_flyer_app__events') }}
    where
        counts_as = 'favorite'
        {%- if is_incremental() %}
            and {{ is_in_days(ref('int_flyer_days_touched')) }}
        {%- endif %}

)

select
    ---------- keys
    user_key,
    merchant_id,
    date,

    ---------- measures
    count(*) as favorites
from events
group by user_key, merchant_id, date
{{ clustered_by('date') }}
