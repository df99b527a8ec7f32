with

rejected_events as (

    select * from {{ ref('base_flyer_app__events') }}
    where rejection_reason is not null

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
