{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

with

session_parts as (

    select * from {{ ref('int_flyer_session_parts') }}
    where
        is_carried
        or {{ is_listed(
            days, is_increment, columns=['date'], recomputed=true
        ) }}

),

carried_parts as (

    select * from {{ ref('int_flyer_sessions_over_midnight') }}

),

session_parts_with_starts as (

    select
        parts.user_key,
        coalesce(carried.session_started_at, parts.started_at) as started_at,
        parts.ended_at,
        coalesce(carried.session_date, parts.date) as date,
        parts.events,
        parts.flyer_events
    from session_parts as parts
    left join carried_parts as carried
        on
            parts.user_key = carried.user_key
            and parts.started_at = carried.part_started_at

),

-- Opening the shopping list alone is no flyer session.
flyer_sessions as (

    select
        ---------- keys
        user_key,

        ---------- time
        started_at,
        max(ended_at) as ended_at,
        date,

        ---------- measures
        cast(sum(events) as bigint) as events,
        cast(sum(flyer_events) as bigint) as flyer_events
    from session_parts_with_starts
    where {{ is_listed(days, is_increment, recomputed=true) }}
    group by user_key, started_at, date
    having sum(flyer_events) > 0

)

select * from flyer_sessions
{{ clustered_by('date') }}
