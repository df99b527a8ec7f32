with

usable_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where rejection_reason is null

),

-- Deliveries are at least once: the same instant, user, event, flyer and
-- merchant is one event, standing where it was first delivered in its file.
events_once as (

    select
        event_at,
        user_id,
        event,
        role,
        flyer_id,
        merchant_id,
        min(_source_row) as source_row,
        count(*) as deliveries,
        min(_loaded_at) as _loaded_at
    from usable_events
    group by event_at, user_id, event, role, flyer_id, merchant_id

),

{% set epoch = "cast('1970-01-01' as timestamp)" -%}
-- The lengths keep ids apart that would read the same joined together.
events_identified as (

    select
        *,
        md5(
            cast(
                {{ datediff(epoch, 'event_at', 'microsecond') }}
                as varchar(20)
            )
            || '|' || event
            || '|' || cast(coalesce(length(flyer_id), 0) as varchar(20))
            || '|' || cast(coalesce(length(merchant_id), 0) as varchar(20))
            || '|' || coalesce(flyer_id, '')
            || '|' || coalesce(merchant_id, '')
            || '|' || user_id
        ) as event_id,
        cast(
            (event_at at time zone 'UTC')
            at time zone '{{ var("reporting_timezone") }}'
            as date
        ) as date
    from events_once

)

select
    ---------- ids, at most 256 characters of four bytes
    event_id,
    cast(user_id as varchar(1024)) as user_id,
    cast(flyer_id as varchar(1024)) as flyer_id,
    cast(merchant_id as varchar(1024)) as merchant_id,

    ---------- event
    event,
    role,

    ---------- time
    event_at,
    date,

    ---------- delivery
    source_row,
    deliveries,
    _loaded_at
from events_identified
