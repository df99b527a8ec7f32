-- raw rows = staged events + repeats + rejected rows, always
with

raw_rows as (

    select count(*) as n from {{ ref('base_flyer_app__events') }}

),

staged as (

    select
        count(*) as events,
        coalesce(sum(deliveries - 1), 0) as repeats
    from {{ ref('stg_flyer_app__events') }}

),

rejected as (

    select count(*) as n from {{ ref('stg_flyer_app__rejected') }}

)

select
    raw_rows.n as raw_rows,
    staged.events,
    staged.repeats,
    rejected.n as rejected_rows
from raw_rows
cross join staged
cross join rejected
where raw_rows.n <> staged.events + staged.repeats + rejected.n
