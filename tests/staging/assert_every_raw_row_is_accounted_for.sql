-- Raw rows = staged events + repeats + rejected rows, always. While nothing is
-- loaded, the sample's rows are the raw rows.
with

loaded as (

    select count(*) as n from {{ source('raw', 'flyer_events') }}

),

sample_events as (

    select count(*) as n from {{ ref('sample_flyer_events') }}

),

staged as (

    select
        count(*) as events,
        coalesce(sum(deliveries - 1), 0) as repeats
    from {{ ref('stg_flyer_app__events_keyed') }}

),

rejected as (

    select count(*) as n from {{ ref('stg_flyer_app__rejected') }}

),

account as (

    select
        staged.events,
        staged.repeats,
        rejected.n as rejected_rows,
        case when loaded.n > 0 then loaded.n else sample_events.n end
            as raw_rows
    from loaded
    cross join sample_events
    cross join staged
    cross join rejected

)

select * from account
where raw_rows <> events + repeats + rejected_rows
