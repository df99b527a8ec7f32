{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_rebuild') -%}

{#
    Events less than the timeout apart share a session, so all events in a slot of time as long as the timeout do. Adding
    up slots first leaves few rows to put in order, even in the longest session.
#}
{%- set timeline = 'partition by user_key order by started_at' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' -%}
{%- set micros =
    datediff("cast('1900-01-01' as timestamp)", 'events.event_at', 'microsecond') -%}
{%- set continues_session =
    datediff('previous_ended_at', 'started_at', 'microsecond') ~ ' < ' ~ timeout_micros %}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}
    where {{ is_listed(days, is_increment) }}

),

actions as (

    select * from {{ ref('int_flyer_actions') }}

),

events_with_slots as (

    select
        events.user_key,
        events.date,
        events.event_at,
        {{ micros }}
        - mod({{ micros }}, {{ timeout_micros }}) as slot,
        case when actions.flyer_key is not null then 1 else 0 end
            as shows_flyer,
        case when actions.role <> 'neutral' then events.event_at end
            as screen_at
    from events
    inner join actions on events.action_key = actions.action_key

),

slots as (

    select
        user_key,
        date,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        count(*) as events,
        sum(shows_flyer) as flyer_events,
        max(screen_at) as last_screen_at
    from events_with_slots
    group by user_key, date, slot

),

-- The latest end, since slots of two dates overlap where clocks are set back
-- over midnight.
slots_with_previous as (

    select
        *,
        lag(date) over ({{ timeline }}) as previous_date,
        max(ended_at) over (
            {{ timeline }}
            rows between unbounded preceding and 1 preceding
        ) as previous_ended_at
    from slots

),

-- A session that spans midnight has one part per date. A slot that does not
-- continue a part starts one, which is carried if its session began before.
part_starts as (

    select
        *,
        case
            when {{ continues_session }} and previous_date = date then null
            else started_at
        end as start_at,
        coalesce({{ continues_session }} and previous_date <> date, false)
            as is_carried
    from slots_with_previous

),

slots_in_parts as (

    select
        *,
        max(start_at) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as part_started_at,
        lead(is_carried) over ({{ timeline }}) as next_is_carried
    from part_starts

),

session_parts as (

    select
        ---------- keys
        user_key,

        ---------- time
        part_started_at as started_at,
        max(ended_at) as ended_at,
        date,
        max(last_screen_at) as last_screen_at,

        ---------- midnight
        max(case when is_carried then 1 else 0 end) = 1 as is_carried,
        max(case when next_is_carried then 1 else 0 end) = 1 as goes_on,

        ---------- measures
        cast(sum(events) as bigint) as events,
        cast(sum(flyer_events) as bigint) as flyer_events
    from slots_in_parts
    group by user_key, date, part_started_at

)

select * from session_parts
where {{ is_listed(days, is_increment, recomputed=true) }}
{{ clustered_by('date') }}
