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
