{{ config(
    incremental_strategy='replace_user_days',
    pre_hook="{{ forget_recomputed_dates() }}",
) }}

{#
    Events less than the timeout apart share a session, so those within one stretch of time as long as the timeout do.
    Adding up the events of a stretch first leaves few rows to put in order, and few in the longest of sessions.

    An increment makes the touched days of a user again; when the session began that comes over midnight is known from
    the rows that stay.
#}
{%- set days_touched = ref('int_flyer_days_touched') -%}
{%- set timeline = 'order by started_at' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' -%}
{%- set micros =
    datediff("cast('1970-01-01' as timestamp)", 'event_at', 'microsecond') -%}

with
{% if is_incremental() %}
    {{ user_days_to_make(days_touched, 'session_started_at') }}
{% endif %}
actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

),

events as (

    select
        *,
        {{ micros }} as micros
    from {{ ref('stg_flyer_app__events_keyed') }}
    {%- if is_incremental() %}
        where {{ is_in_days('days_read where is_touched = 1') }}
    {%- endif %}

),

-- mod() twice, as the first is negative before 1970.
events_in_stretches as (

    select
        events.user_key,
        events.date,
        events.event_at,
        case when actions.flyer_key is not null then 1 else 0 end
            as shows_flyer,
        case when actions.role <> 'neutral' then events.event_at end
            as screen_at,
        events.micros - mod(
            mod(events.micros, {{ timeout_micros }}) + {{ timeout_micros }},
            {{ timeout_micros }}
        ) as stretch
    from events
    inner join actions on events.action_key = actions.action_key

),

stretches as (

    select
        user_key,
        date,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        count(*) as events,
        sum(shows_flyer) as flyer_events,
        max(screen_at) as last_screen_at,
        {%- if is_incremental() %}
            1 as is_touched,
        {%- endif %}
        cast(null as timestamp) as session_started_at
    from events_in_stretches
    group by user_key, date, stretch
    {%- if is_incremental() %}

        union all

        select
            user_key,
            date,
            started_at,
            ended_at,
            events,
            flyer_events,
            last_screen_at,
            0 as is_touched,
            session_started_at
        from {{ this }}
        where {{ is_in_days('days_read where is_touched = 0') }}
    {%- endif %}

),

stretches_with_previous as (

    select
        *,
        lag(ended_at) over (
            partition by user_key
            {{ timeline }}
        ) as previous_ended_at
    from stretches

),

stretches_with_distances as (

    select
        *,
        {{ datediff('previous_ended_at', 'started_at', 'microsecond') }}
            as micros_since_stretch
    from stretches_with_previous

),

starts as (

    select
        *,
        case
            when session_started_at is not null then session_started_at
            when micros_since_stretch < {{ timeout_micros }} then null
            else started_at
        end as start_at
    from stretches_with_distances

),

-- A stretch that starts no session belongs to the last one that was started.
stretches_with_sessions as (

    select
        *,
        max(start_at) over (
            partition by user_key
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as latest_start_at
    from starts

)

select
    ---------- keys
    user_key,

    ---------- time
    started_at,
    ended_at,
    date,
    last_screen_at,

    ---------- session
    latest_start_at as session_started_at,
    {{ local_date('latest_start_at') }} as session_date,

    ---------- measures
    events,
    cast(flyer_events as bigint) as flyer_events
from stretches_with_sessions
{% if is_incremental() -%}
    where is_touched = 1
{%- endif %}
{{ clustered_by('date') }}
