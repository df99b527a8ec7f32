{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}

),

users as (

    select * from {{ ref('stg_flyer_app__users') }}

),

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

)

select
    ---------- ids
    users.user_id,
    actions.flyer_id,
    actions.merchant_id,

    ---------- keys
    events.user_key,
    events.action_key,

    ---------- event
    actions.event,
    actions.role,
    actions.counts_as,

    ---------- time
    events.event_at,
    events.date,

    ---------- delivery
    events.source_row,
    events.deliveries,
    events._loaded_at
from events
inner join users on events.user_key = users.user_key
inner join actions on events.action_key = actions.action_key
