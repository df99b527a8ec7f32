{{ config(materialized='view') }}

with

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

),

-- The first action of a flyer has its key.
first_actions as (

    select * from actions
    where action_key = flyer_key

)

select
    flyer_key,
    flyer_id,
    merchant_id
from first_actions
