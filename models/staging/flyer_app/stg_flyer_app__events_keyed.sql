{{ config(
    incremental_strategy='replace_days',
    unique_key=['date', 'user_key', 'event_at'],
) }}
{%- set is_increment = is_incremental() -%}
{%- set new_dates = ref('stg_flyer_app__new_dates') %}

{#
    Integer keys replace the user id and the (event, flyer, merchant) texts: 20 bytes a row instead of 200.

    An increment reads the rows of new loads and replaces all events at their instants, so that a repeat is found
    whenever it arrives.
#}

with

usable_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where
        rejection_reason is null
        and {{ is_unprocessed(is_increment, 'event_at', new_dates) }}

),

users as (

    select * from {{ ref('stg_flyer_app__users') }}

),

actions as (

    select * from {{ ref('stg_flyer_app__actions') }}

),

new_deliveries as (

    select
        {{ require_key('users.user_key', 'events.user_id') }} as user_key,
        {{ require_key('actions.action_key', 'events.event') }} as action_key,
        events.event_at,
        {{ local_date('events.event_at') }} as date,
        events._source_row as source_row,
        1 as deliveries,
        events._loaded_at
    from usable_events as events
    left join users on events.user_id = users.user_id
    left join actions on {{ same_action('events', 'actions') }}

),

deliveries as (

    select * from new_deliveries
    {%- if is_increment %}

        union all

        select
            user_key,
            action_key,
            event_at,
            date,
            source_row,
            deliveries,
            _loaded_at
        from {{ this }}
        where
            {{ is_listed(new_dates, is_increment, columns=['date']) }}
            and (user_key, event_at) in (
                select
                    user_key,
                    event_at
                from new_deliveries
            )
            and not {{ is_date_to_recompute('date') }}
    {%- endif %}

),

-- Deliveries are at least once: the same instant, user, event, flyer and
-- merchant is one event. Its position is the first one that a file gave it.
events_once as (

    select
        user_key,
        action_key,
        event_at,
        date,
        min(source_row) as source_row,
        sum(deliveries) as deliveries,
        max(_loaded_at) as _loaded_at
    from deliveries
    group by user_key, action_key, event_at, date

)

select
    ---------- keys
    user_key,
    action_key,

    ---------- time
    event_at,
    date,

    ---------- delivery
    source_row,
    cast(deliveries as bigint) as deliveries,
    _loaded_at
from events_once
{{ clustered_by('date') }}
