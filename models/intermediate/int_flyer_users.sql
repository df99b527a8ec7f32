{{ config(materialized='view') }}

with

users as (

    select * from {{ ref('stg_flyer_app__users') }}

)

select
    user_key,
    user_id
from users
