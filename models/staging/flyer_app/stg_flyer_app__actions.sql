{{ config(dist='all', sort='action_key') }}
{%- set is_increment = is_incremental() %}

{#
    Keys are given like those of users, and never change. int_flyer_actions derives flyer and merchant keys from them.
#}

-- Built after the dates, so that the events of these dates find their keys:
-- depends_on: {{ ref('stg_flyer_app__new_dates') }}

with

events_trimmed as (

    select
        {{ bounded(trimmed('raw_event')) }} as event,
        {{ bounded(trimmed('raw_flyer_id')) }} as flyer_id_text,
        {{ bounded(trimmed('raw_merchant_id')) }} as merchant_id_text,
        _loaded_at
    from {{ ref('base_flyer_app__events') }}
    where {{ is_unprocessed(is_increment) }}

),

-- Grouped by spelling, so that each is cleaned once, not each row.
spellings as (

    select
        event,
        flyer_id_text,
        merchant_id_text,
        min(_loaded_at) as _loaded_at
    from events_trimmed
    where
        coalesce(length(flyer_id_text), 0) <= {{ longest_id() }}
        and coalesce(length(merchant_id_text), 0) <= {{ longest_id() }}
    group by event, flyer_id_text, merchant_id_text

),

spellings_cleaned as (

    select
        event,
        {{ cleaned_id('flyer_id_text') }} as flyer_id,
        {{ cleaned_id('merchant_id_text') }} as merchant_id,
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

    select * from {{ ref('event_types') }}

),

new_actions as (

    select
        delivered.*,
        event_types.role,
        event_types.counts_as
    from actions_delivered as delivered
    inner join event_types on delivered.event = event_types.event
    {%- if is_increment %}
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

)

select
    ---------- key
    cast(
        number
        {%- if is_increment %}
            + (select coalesce(max(action_key), 0) from {{ this }})
        {%- endif %}
        as integer
    ) as action_key,

    ---------- ids, at most 256 characters of four bytes
    event,
    cast(flyer_id as varchar(1024)) as flyer_id,
    cast(merchant_id as varchar(1024)) as merchant_id,

    ---------- what it does
    role,
    counts_as,

    ---------- delivery
    _loaded_at
from new_actions_numbered
