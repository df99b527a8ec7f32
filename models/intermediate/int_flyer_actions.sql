{{ config(materialized='view') }}

{#
    flyer_key and merchant_key are the smallest action_key of their group. Later keys are larger, so they never change.
#}

with

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

)

select
    ---------- keys
    action_key,
    -- An item of an unknown flyer shows no flyer. A missing merchant counts as
    -- a merchant of its own.
    case
        when role = 'shows_flyer' and flyer_id is not null
            then
                min(action_key) over (
                    partition by role, flyer_id, merchant_id
                )
    end as flyer_key,
    min(action_key) over (partition by merchant_id) as merchant_key,

    ---------- ids
    event,
    flyer_id,
    merchant_id,

    ---------- what it does
    role,
    counts_as,

    ---------- order of a user's events at one instant and position: a hash,
    ---------- which favors no flyer
    row_number() over (
        order by
            md5(
                event
                || '|' || coalesce(flyer_id, '')
                || '|' || coalesce(merchant_id, '')
            ),
            action_key
    ) as tie_order
from actions
