{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_touched'))) }}",
) }}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_touched')) }}
    {%- endif %}

),

favorite_actions as (

    select * from {{ ref('stg_flyer_app__actions') }}
    where counts_as = 'favorite'

)

select
    ---------- keys
    events.user_key,
    actions.merchant_id,
    events.date,

    ---------- measures
    count(*) as favorites
from events
inner join favorite_actions as actions on events.action_key = actions.action_key
group by events.user_key, actions.merchant_id, events.date
{{ clustered_by('events.date') }}
