{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_affected'))) }}",
) }}

with

session_parts as (

    select * from {{ ref('int_flyer_session_parts') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_affected'), 'session_date') }}
    {%- endif %}

),

sessions as (

    select
        user_key,
        session_started_at as started_at,
        max(ended_at) as ended_at,
        session_date as date,
        sum(events) as events,
        sum(flyer_events) as flyer_events
    from session_parts
    group by user_key, session_started_at, session_date

),

-- Opening the shopping list alone is no flyer session.
flyer_sessions as (

    select * from sessions
    where flyer_events > 0

)

select
    ---------- keys
    user_key,

    ---------- time
    started_at,
    ended_at,
    date,

    ---------- measures
    cast(events as bigint) as events,
    cast(flyer_events as bigint) as flyer_events
from flyer_sessions
{{ clustered_by('date') }}
