{{ config(incremental_strategy='append') }}

{#
    Numbered like users. The first action of a flyer of a merchant gives it its key, likewise that of a merchant, so
    that later ones leave both as they are.
#}

with

actions_delivered as (

    select
        event,
        flyer_id,
        merchant_id,
        role,
        min(_loaded_at) as _loaded_at
    from {{ ref('base_flyer_app__events') }}
    where
        role is not null
        and coalesce(length(flyer_id), 0) <= {{ longest_id() }}
        and coalesce(length(merchant_id), 0) <= {{ longest_id() }}
        {%- if is_incremental() %}
            and _loaded_at > {{ processed_to('_loaded_at') }}
        {%- endif %}
    group by event, flyer_id, merchant_id, role

),

new_actions as (

    select delivered.*
    from actions_delivered as delivered
    {%- if is_incremental() %}
    left join {{ this }} as known
        on
            delivered.event = known.event
            and coalesce(delivered.flyer_id, '') = coalesce(known.flyer_id, '')
            and coalesce(delivered.merchant_id, '')
            = coalesce(known.merchant_id, '')
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

),

event_types as (

    select * from {{ ref('stg_flyer_app__event_types') }}

)

select
    ---------- keys
    cast(actions.action_key as integer) as action_key,
    cast(actions.flyer_key as integer) as flyer_key,
    cast(actions.merchant_key as integer) as merchant_key,

    ---------- ids, at most 256 characters of four bytes
    actions.event,
    cast(actions.flyer_id as varchar(1024)) as flyer_id,
    cast(actions.merchant_id as varchar(1024)) as merchant_id,

    ---------- what it does
    actions.role,
    event_types.counts_as,

    ---------- delivery
    actions._loaded_at
from actions_with_keys as actions
inner join event_types on actions.event = event_types.event
where actions.is_new = 1
