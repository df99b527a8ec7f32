{% set days = ref('int_flyer_days_to_rebuild') %}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}
    where {{ is_listed(days, is_incremental(), recomputed=true) }}

),

favorite_actions as (

    select * from {{ ref('int_flyer_actions') }}
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
