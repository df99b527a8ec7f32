{{ config(incremental_strategy='append') }}

{#
    Numbered like users. The first action of a flyer of a merchant gives it its key, likewise that of a merchant, so
    that later ones leave both as they are.
#}

with

-- Grouped as they came, so that each is cleaned once, not in each row.
spellings as (

    select
        raw_event,
        raw_flyer_id,
        raw_merchant_id,
        min(_loaded_at) as _loaded_at
    from {{ ref('base_flyer_app__events') }}
    {%- if is_incremental() %}
        where _loaded_at > {{ processed_to('_loaded_at') }}
    {%- endif %}
    group by raw_event, raw_flyer_id, raw_merchant_id

),

spellings_cleaned as (

    select
        {{ trimmed('raw_event') }} as event,
        {{ id_or_null(trimmed('raw_flyer_id')) }} as flyer_id,
        {{ id_or_null(trimmed('raw_merchant_id')) }} as merchant_id,
        _loaded_at
    from spellings

),

actions_delivered as (

    select
        event,
        flyer_id,
        merchant_id,
        min(_loaded_at) as _loaded_at
    from spellings_cleaned
    group by event, flyer_id, merchant_id

),

event_types as (

    select * from {{ ref('stg_flyer_app__event_types') }}

),

known_actions_delivered as (

    select
        delivered.*,
        event_types.role,
        event_types.counts_as
    from actions_delivered as delivered
    inner join event_types on delivered.event = event_types.event
    where
        coalesce(length(delivered.flyer_id), 0) <= {{ longest_id() }}
        and coalesce(length(delivered.merchant_id), 0) <= {{ longest_id() }}

),

new_actions as (

    select delivered.*
    from known_actions_delivered as delivered
    {%- if is_incremental() %}
    left join {{ this }} as known
        on {{ same_action('delivered', 'known') }}
    where known.action_key is null
    {%- endif %}

),

new_actions_numbered as (

    select
        *,
        row_number() over (
            order by
                _loaded_at,
                event,
                flyer_id nulls first,
                merchant_id nulls first
        ) as number
    from new_actions

),

actions as (

    select
        number
        {%- if is_incremental() %}
            + (select coalesce(max(action_key), 0) from {{ this }})
        {%- endif %}
            as action_key,
        event,
        flyer_id,
        merchant_id,
        role,
        counts_as,
        1 as is_new,
        _loaded_at
    from new_actions_numbered
    {%- if is_incremental() %}

        union all

        select
            action_key,
            event,
            flyer_id,
            merchant_id,
            role,
            counts_as,
            0 as is_new,
            _loaded_at
        from {{ this }}
    {%- endif %}

),

actions_with_keys as (

    select
        *,
        -- an item of an unknown flyer shows no flyer that could be named; a
        -- missing merchant is a merchant of its own
        case
            when role = 'shows_flyer' and flyer_id is not null
                then
                    min(action_key) over (
                        partition by role, flyer_id, merchant_id
                    )
        end as flyer_key,
        min(action_key) over (partition by merchant_id) as merchant_key
    from actions

)

select
    ---------- keys
    cast(action_key as integer) as action_key,
    cast(flyer_key as integer) as flyer_key,
    cast(merchant_key as integer) as merchant_key,

    ---------- ids, at most 256 characters of four bytes
    event,
    cast(flyer_id as varchar(1024)) as flyer_id,
    cast(merchant_id as varchar(1024)) as merchant_id,

    ---------- what it does
    role,
    counts_as,

    ---------- delivery
    _loaded_at
from actions_with_keys
where is_new = 1
