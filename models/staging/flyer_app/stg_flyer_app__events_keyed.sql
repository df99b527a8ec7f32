{{ config(
    incremental_strategy='delete+insert',
    unique_key=['user_key', 'event_at'],
    pre_hook="{{ forget_recomputed_dates() }}",
) }}

{#
    Numbers stand for users and for what they do, so that a row takes some twenty bytes in place of two hundred: to find
    repeats, to sort and to write texts would take most of a build.

    An increment reads the rows of new loads, and replaces all events of the instants that they name.
#}

with

usable_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where
        rejection_reason is null
        {%- if is_incremental() %}
            and (
                _loaded_at > {{ processed_to('_loaded_at') }}
                {%- if dates_to_recompute() %}
                    -- no event is loaded before it happens, but for the skew
                    or (
                        {{ is_to_recompute(local_date('event_at')) }}
                        and _loaded_at > {{ dateadd(
                            'day', -3,
                            "cast('" ~ dates_to_recompute()[0]
                            ~ "' as timestamp)"
                        ) }}
                    )
                {%- endif %}
            )
        {%- endif %}

),

users as (

    select * from {{ ref('stg_flyer_app__users') }}

),

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

),

new_deliveries as (

    select
        {{ key_or_stop('users.user_key', 'events.user_id') }} as user_key,
        {{ key_or_stop('actions.action_key', 'events.event') }} as action_key,
        events.event_at,
        events._source_row as source_row,
        events._loaded_at
    from usable_events as events
    left join users on events.user_id = users.user_id
    left join actions on {{ same_action('events', 'actions') }}

),

deliveries as (

    select
        user_key,
        action_key,
        event_at,
        source_row,
        1 as deliveries,
        _loaded_at
    from new_deliveries
    {%- if is_incremental() %}

        union all

        select
            user_key,
            action_key,
            event_at,
            source_row,
            deliveries,
            _loaded_at
        from {{ this }}
        where
            (user_key, event_at) in (
                select
                    user_key,
                    event_at
                from new_deliveries
            )
    {%- endif %}

),

-- Deliveries are at least once: the same instant, user, event, flyer and
-- merchant is one event, standing where it was first delivered in its file.
events_once as (

    select
        user_key,
        action_key,
        event_at,
        min(source_row) as source_row,
        {{ 'sum(deliveries)' if is_incremental() else 'count(*)' }}
            as deliveries,
        max(_loaded_at) as _loaded_at
    from deliveries
    group by user_key, action_key, event_at

)

select
    ---------- keys
    user_key,
    action_key,

    ---------- time
    event_at,
    {{ local_date('event_at') }} as date,

    ---------- delivery
    source_row,
    cast(deliveries as bigint) as deliveries,
    _loaded_at
from events_once
{{ clustered_by('date') }}
