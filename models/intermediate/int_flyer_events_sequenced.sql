{{ config(
    incremental_strategy='replace_user_days',
    pre_hook="{{ forget_recomputed_dates() }}",
) }}

{#
    The one place that puts a user's events in order. Everything downstream is a sum over what is worked out here.
    source_row is null for events whose position is not known.

    An increment sequences the touched days of a user again, from staging, with the days around them for what reaches
    over midnight. When the view began that comes over midnight is known from the rows that stay.
#}
{%- set days_touched = ref('int_flyer_days_touched') -%}
{%- set timeline = 'order by event_at, source_row nulls last, action_number' -%}
{%- set max_gap_micros = var('max_gap_secs') ~ '000000' -%}
{%- set timeout_micros = var('inactivity_timeout_secs') ~ '000000' -%}

with
{% if is_incremental() %}
    {{ user_days_to_make(days_touched, 'view_started_at') }}
{% endif %}
-- Where the position of two events is not known, a hash decides between them.
-- No flyer is key 0.
actions as (

    select
        action_key,
        coalesce(flyer_key, 0) as flyer_key,
        merchant_key,
        role,
        row_number() over (
            order by
                md5(
                    event
                    || '|' || coalesce(flyer_id, '')
                    || '|' || coalesce(merchant_id, '')
                ),
                action_key
        ) as action_number
    from {{ ref('stg_flyer_app__actions') }}

),

-- What leaves the screen as it is says nothing of flyers.
screens as (

    select
        {%- if is_incremental() %}
            days_read.is_touched,
        {%- endif %}
        events.user_key,
        events.action_key,
        events.event_at,
        events.date,
        events.source_row,
        actions.flyer_key,
        actions.merchant_key,
        actions.action_number,
        case when actions.flyer_key > 0 then events.event_at end
            as flyer_event_at
    from {{ ref('stg_flyer_app__events_keyed') }} as events
    inner join actions on events.action_key = actions.action_key
    {%- if is_incremental() %}
        inner join days_read
            on
                events.user_key = days_read.user_key
                and events.date = days_read.date
    {%- endif %}
    where
        actions.role <> 'neutral'
        {%- if is_incremental() %}
            and {{ is_on_dates('days_read as dates', 'events.date') }}
        {%- endif %}

),

screens_with_neighbours as (

    select
        *,
        lag(flyer_key) over (
            partition by user_key
            {{ timeline }}
        ) as previous_flyer_key,
        last_value(flyer_event_at ignore nulls) over (
            partition by user_key
            {{ timeline }}
            rows between unbounded preceding and 1 preceding
        ) as previous_flyer_event_at,
        lead(event_at) over (
            partition by user_key
            {{ timeline }}
        ) as next_screen_at,
        lead(flyer_key) over (
            partition by user_key
            {{ timeline }}
        ) as next_flyer_key,
        lead(merchant_key) over (
            partition by user_key
            {{ timeline }}
        ) as next_merchant_key
    from screens

),

-- Whole microseconds: exact to compare and to add.
flyers_with_distances as (

    select
        *,
        {{ datediff('previous_flyer_event_at', 'event_at', 'microsecond') }}
            as micros_since_flyer_event,
        {{ datediff('event_at', 'next_screen_at', 'microsecond') }}
            as micros_to_next_screen
    from screens_with_neighbours
    where
        flyer_key > 0
        {%- if is_incremental() %}
            and is_touched = 1
        {%- endif %}

),

flyers_on_screen as (

    select
        *,
        case
            when micros_since_flyer_event < {{ max_gap_micros }}
                then micros_since_flyer_event
        end as gap_micros,
        case
            when micros_to_next_screen < {{ timeout_micros }}
                then micros_to_next_screen
        end as micros_on_screen,
        case
            when
                previous_flyer_key = flyer_key
                and micros_since_flyer_event < {{ timeout_micros }}
                then 0
            else 1
        end as starts_view,
        case
            when
                next_screen_at is null
                or micros_to_next_screen >= {{ timeout_micros }}
                then 'idle'
            when next_flyer_key = 0 then 'left'
            when next_flyer_key <> flyer_key then 'next_flyer'
        end as view_end_reason
    from flyers_with_distances

),

flyer_events as (

    select
        user_key,
        action_key,
        flyer_key,
        action_number,
        event_at,
        date,
        source_row,
        gap_micros,
        micros_on_screen,
        starts_view,
        view_end_reason,
        case
            when view_end_reason = 'next_flyer'
                then next_merchant_key <> merchant_key
        end as view_went_to_other_merchant
    from flyers_on_screen

),

-- Most views have one event, and need no look at others.
events_of_longer_views as (

    select
        {%- if is_incremental() %}
            1 as is_touched,
        {%- endif %}
        *,
        case when starts_view = 1 then event_at end as start_at,
        case when starts_view = 1 then action_key end as start_action_key,
        case when starts_view = 1 then date end as start_date
    from flyer_events
    where starts_view = 0 or view_end_reason is null
    {%- if is_incremental() %}

        union all

        select
            0 as is_touched,
            known.user_key,
            known.action_key,
            known.flyer_key,
            actions.action_number,
            known.event_at,
            known.date,
            known.source_row,
            null as gap_micros,
            null as micros_on_screen,
            0 as starts_view,
            null as view_end_reason,
            cast(null as boolean) as view_went_to_other_merchant,
            known.view_started_at as start_at,
            known.view_action_key as start_action_key,
            known.view_date as start_date
        from {{ this }} as known
        inner join days_read
            on
                known.user_key = days_read.user_key
                and known.date = days_read.date
                and days_read.is_touched = 0
        inner join actions on known.action_key = actions.action_key
        where {{ is_on_dates('days_read as dates', 'known.date') }}
    {%- endif %}

),

-- An event that starts no view belongs to the last one that was started.
events_with_starts as (

    select
        *,
        last_value(start_at ignore nulls) over (
            partition by user_key
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_started_at,
        last_value(start_action_key ignore nulls) over (
            partition by user_key
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_action_key,
        last_value(start_date ignore nulls) over (
            partition by user_key
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_date
    from events_of_longer_views

),

flyer_events_with_views as (

    select
        user_key,
        action_key,
        flyer_key,
        event_at,
        date,
        source_row,
        gap_micros,
        micros_on_screen,
        event_at as view_started_at,
        action_key as view_action_key,
        date as view_date,
        micros_on_screen as micros_in_view,
        view_end_reason,
        view_went_to_other_merchant
    from flyer_events
    where starts_view = 1 and view_end_reason is not null

    union all

    select
        user_key,
        action_key,
        flyer_key,
        event_at,
        date,
        source_row,
        gap_micros,
        micros_on_screen,
        view_started_at,
        view_action_key,
        view_date,
        -- all events before the last one were on screen until the next
        case
            when view_end_reason is not null
                then
                    {{ datediff('view_started_at', 'event_at', 'microsecond') }}
                    + coalesce(micros_on_screen, 0)
        end as micros_in_view,
        view_end_reason,
        view_went_to_other_merchant
    from events_with_starts
    {%- if is_incremental() %}
        where is_touched = 1
    {%- endif %}

)

select
    ---------- keys
    user_key,
    action_key,
    flyer_key,

    ---------- time
    event_at,
    date,
    source_row,

    ---------- measures
    cast(gap_micros * 0.000001 as decimal(18, 6)) as gap_secs,
    cast(micros_on_screen * 0.000001 as decimal(18, 6)) as on_screen_secs,

    ---------- view
    view_started_at,
    view_action_key,
    view_date,

    ---------- view, on its last event
    cast(micros_in_view * 0.000001 as decimal(18, 6)) as view_secs,
    view_end_reason,
    view_went_to_other_merchant
from flyer_events_with_views
{{ clustered_by('date') }}
