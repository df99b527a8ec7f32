{{ config(dist='even', sort='_loaded_at') }}

-- Built after the usable events, so that it has seen every load that they have:
-- depends_on: {{ ref('stg_flyer_app__events_keyed') }}

with

rejected_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where
        rejection_reason is not null
        and {{ is_unprocessed(is_incremental()) }}

)

select
    ---------- why
    rejection_reason,
    case
        when rejection_reason = 'missing_user_id' then raw_user_id
        when rejection_reason in ('missing_event', 'unknown_event')
            then raw_event
        when rejection_reason <> 'id_too_long' then raw_timestamp
        when length(raw_user_id) > {{ longest_id() }} then raw_user_id
        when length(raw_flyer_id) > {{ longest_id() }} then raw_flyer_id
        else raw_merchant_id
    end as rejected_value,

    ---------- as delivered
    raw_timestamp,
    raw_user_id,
    raw_event,
    raw_flyer_id,
    raw_merchant_id,

    ---------- delivery
    _source_file,
    _source_row,
    _loaded_at
from rejected_events
