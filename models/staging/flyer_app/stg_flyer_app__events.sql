{{ config(
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'event_at'],
    pre_hook="{{ forget_recomputed_dates() }}",
) }}

{#
    An increment reads the rows of new loads, and replaces all events of the instants that they name: whole instants,
    as flyer and merchant, which may be null, make no key.
#}

with

usable_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where
        rejection_reason is null
        {%- if is_incremental() %}
            and (
                _loaded_at > {{ processed_to('_last_loaded_at') }}
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

deliveries as (

    select
        event_at,
        user_id,
        event,
        role,
        flyer_id,
        merchant_id,
        _source_row as source_row,
        1 as deliveries,
        _loaded_at,
        _loaded_at as _last_loaded_at
    from usable_events
    {%- if is_incremental() %}

        union all

        select
            event_at,
            user_id,
            event,
            role,
            flyer_id,
            merchant_id,
            source_row,
            deliveries,
            _loaded_at,
            _last_loaded_at
        from {{ this }}
        where
            (user_id, event_at) in (
                select
                    user_id,
                    event_at
                from usable_events
            )
    {%- endif %}

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
        min(source_row) as source_row,
        sum(deliveries) as deliveries,
        min(_loaded_at) as _loaded_at,
        max(_last_loaded_at) as _last_loaded_at
    from deliveries
    group by event_at, user_id, event, role, flyer_id, merchant_id

)

select
    ---------- ids, at most 256 characters of four bytes
    cast(user_id as varchar(1024)) as user_id,
    cast(flyer_id as varchar(1024)) as flyer_id,
    cast(merchant_id as varchar(1024)) as merchant_id,

    ---------- event
    event,
    role,

    ---------- time
    event_at,
    {{ local_date('event_at') }} as date,

    ---------- delivery
    source_row,
    cast(deliveries as bigint) as deliveries,
    _loaded_at,
    _last_loaded_at
from events_once
{{ clustered_by('date') }}
