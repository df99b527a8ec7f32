{{ config(
    incremental_strategy='replace_user_days',
    pre_hook="{{ forget_recomputed_dates() }}",
) }}

{#
    The one place that puts a user's events in order. Everything downstream is a sum over what is worked out here.

    Users, and what an event does, go through the windows as numbers: sorting long texts would take most of the build.
    source_row is null for events whose position is not known.

    An increment sequences the touched days of a user again, from staging, with the days around them for what reaches
    over midnight. When the view began that comes over midnight is known from the rows that stay.
#}
{%- set days_touched = ref('int_flyer_days_touched') -%}
{%- set timeline = 'order by event_at, source_row nulls last, kind_number' -%}
{%- set max_gap_micros = var('max_gap_secs') ~ '000000' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' -%}
{#- A CTE that is read more than once is kept in memory whole: all of staging is better read again. #}
{%- set known_events = 'screen_events' if is_incremental() else ref('stg_flyer_app__events') -%}

with
{% if is_incremental() %}
    {{ user_days_to_make(days_touched, 'view_started_at') }}
{% endif %}
-- What leaves the screen as it is says nothing of flyers.
screen_events as (

    select
        {%- if is_incremental() %}
            days_read.is_touched,
        {%- endif %}
        events.*
    from {{ ref('stg_flyer_app__events') }} as events
    {%- if is_incremental() %}
    inner join days_read
        on
            events.user_id = days_read.user_id
            and events.date = days_read.date
    {%- endif %}
    where events.role <> 'neutral'

),

users as (

    select
        user_id,
        row_number() over (order by user_id) as user_number
    from (select distinct user_id from {{ known_events }}) as known_users

),

-- The few things that happen, over and over, to different users. Where the
-- position of two events is not known, a hash decides between them.
kinds as (

    select
        event,
        flyer_id,
        merchant_id,
        row_number() over (
            order by
                md5(
                    event
                    || '|' || coalesce(flyer_id, '')
                    || '|' || coalesce(merchant_id, '')
                ),
                event,
                flyer_id,
                merchant_id
        ) as kind_number,
        -- an item of an unknown flyer changes the screen, yet shows no flyer
        -- that could be named; a missing merchant is a merchant of its own
        case
            when role = 'shows_flyer' and flyer_id is not null
                then dense_rank() over (order by flyer_id, merchant_id)
            else 0
        end as screen_number,
        dense_rank() over (order by merchant_id) as merchant_number
    from (
        select distinct
            event,
            role,
            flyer_id,
            merchant_id
        from {{ known_events }}
    ) as known_kinds

),

screens as (

    select
        {%- if is_incremental() %}
            events.is_touched,
        {%- endif %}
        users.user_number,
        kinds.kind_number,
        kinds.screen_number,
        kinds.merchant_number,
        kinds.event,
        events.event_at,
        events.date,
        events.source_row
    from screen_events as events
    inner join users on events.user_id = users.user_id
    inner join kinds
        on
            events.event = kinds.event
            and coalesce(events.flyer_id, '') = coalesce(kinds.flyer_id, '')
            and coalesce(events.merchant_id, '')
            = coalesce(kinds.merchant_id, '')

),

screens_with_neighbours as (

    select
        *,
        lag(event_at) over (
            partition by user_number
            {{ timeline }}
        ) as previous_screen_at,
        lag(screen_number) over (
            partition by user_number
            {{ timeline }}
        ) as previous_screen_number,
        lead(event_at) over (
            partition by user_number
            {{ timeline }}
        ) as next_screen_at,
        lead(screen_number) over (
            partition by user_number
            {{ timeline }}
        ) as next_screen_number,
        lead(merchant_number) over (
            partition by user_number
            {{ timeline }}
        ) as next_merchant_number
    from screens

),

-- Whole microseconds: exact to compare and to add.
flyers_with_distances as (

    select
        *,
        {{ datediff('previous_screen_at', 'event_at', 'microsecond') }}
            as micros_since_screen,
        {{ datediff('event_at', 'next_screen_at', 'microsecond') }}
            as micros_to_next_screen
    from screens_with_neighbours
    where
        screen_number > 0
        {%- if is_incremental() %}
            and is_touched = 1
        {%- endif %}

),

flyers_on_screen as (

    select
        *,
        case
            when micros_to_next_screen < {{ timeout_micros }}
                then micros_to_next_screen
        end as micros_on_screen,
        case
            when
                previous_screen_number = screen_number
                and micros_since_screen < {{ timeout_micros }}
                then 0
            else 1
        end as starts_view,
        case
            when
                next_screen_at is null
                or micros_to_next_screen >= {{ timeout_micros }}
                then 'idle'
            when next_screen_number = 0 then 'left'
            when next_screen_number <> screen_number then 'next_flyer'
        end as view_end_reason
    from flyers_with_distances

),

flyer_events as (

    select
        {%- if is_incremental() %}
            1 as is_touched,
        {%- endif %}
        user_number,
        kind_number,
        event,
        event_at,
        date,
        source_row,
        micros_on_screen,
        view_end_reason,
        case
            when view_end_reason = 'next_flyer'
                then next_merchant_number <> merchant_number
        end as view_went_to_other_merchant,
        case when starts_view = 1 then event_at end as view_started_at,
        case when starts_view = 1 then event end as view_started_with,
        case when starts_view = 1 then date end as view_date
    from flyers_on_screen
    {%- if is_incremental() %}

        union all

        select
            0 as is_touched,
            users.user_number,
            kinds.kind_number,
            known.event,
            known.event_at,
            known.date,
            known.source_row,
            null as micros_on_screen,
            null as view_end_reason,
            cast(null as boolean) as view_went_to_other_merchant,
            known.view_started_at,
            known.view_started_with,
            known.view_date
        from {{ this }} as known
        inner join days_read
            on
                known.user_id = days_read.user_id
                and known.date = days_read.date
                and days_read.is_touched = 0
        inner join users on known.user_id = users.user_id
        inner join kinds
            on
                known.event = kinds.event
                and known.flyer_id = kinds.flyer_id
                and coalesce(known.merchant_id, '')
                = coalesce(kinds.merchant_id, '')
    {%- endif %}

),

-- An event that starts no view belongs to the last one that was started.
flyer_events_with_views as (

    select
        user_number,
        kind_number,
        event,
        event_at,
        date,
        source_row,
        micros_on_screen,
        view_end_reason,
        view_went_to_other_merchant,
        {%- if is_incremental() %}
            is_touched,
        {%- endif %}
        lag(event_at) over (
            partition by user_number
            {{ timeline }}
        ) as previous_flyer_event_at,
        last_value(view_started_at ignore nulls) over (
            partition by user_number
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_started_at,
        last_value(view_started_with ignore nulls) over (
            partition by user_number
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_started_with,
        last_value(view_date ignore nulls) over (
            partition by user_number
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_date
    from flyer_events

),

flyer_events_with_gaps as (

    select
        *,
        {{ datediff('previous_flyer_event_at', 'event_at', 'microsecond') }}
            as micros_since_flyer_event
    from flyer_events_with_views
    {%- if is_incremental() %}
        where is_touched = 1
    {%- endif %}

)

select
    ---------- ids
    users.user_id,
    kinds.flyer_id,
    kinds.merchant_id,

    ---------- event
    events.event,

    ---------- time
    events.event_at,
    events.date,
    events.source_row,

    ---------- measures
    cast(
        case
            when events.micros_since_flyer_event < {{ max_gap_micros }}
                then events.micros_since_flyer_event
        end * 0.000001 as decimal(18, 6)
    ) as gap_secs,
    cast(events.micros_on_screen * 0.000001 as decimal(18, 6))
        as on_screen_secs,

    ---------- view
    events.view_started_at,
    events.view_started_with,
    events.view_date,
    events.view_end_reason,
    events.view_went_to_other_merchant
from flyer_events_with_gaps as events
inner join users on events.user_number = users.user_number
inner join kinds on events.kind_number = kinds.kind_number
{{ clustered_by('date') }}
