{{ config(materialized='view') }}

with

event_types as (

    select * from {{ ref('event_types') }}

)

select
    event,
    role,
    nullif(trim(counts_as), '') as counts_as
from event_types
