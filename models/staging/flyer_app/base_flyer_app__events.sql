{#- No grant: Redshift asks the reader of a late-binding view for usage of all schemas that it reads, here of raw. #}
{{ config(
    materialized='view',
    grants={'select': []} if target.type == 'redshift' else {}
) }}

{#
    One row per raw row, none dropped: cleaned, and with a reason where it is rejected. Other models read raw events
    through stg_flyer_app__events_keyed (usable, each once) or stg_flyer_app__rejected.
#}

{%- set first_instant = "cast('" ~ var('earliest_event_date') ~ "' as timestamp)" -%}
{%- set skew_secs = var('max_clock_skew_secs') -%}
{%- set as_delivered -%}
    "timestamp" as raw_timestamp,
        user_id as raw_user_id,
        event as raw_event,
        flyer_id as raw_flyer_id,
        merchant_id as raw_merchant_id,
        _source_file,
        _source_row,
        _loaded_at
{%- endset -%}

with

loaded as (

    select * from {{ source('raw', 'flyer_events') }}

),

sample_events as (

    select * from {{ ref('sample_flyer_events') }}

),

event_types as (

    select * from {{ ref('event_types') }}

),

-- The sample is read only while nothing is loaded.
{#- `exists` names the source and not the CTE, which DuckDB would materialize if it were read twice. #}
raw_events as (

    select
        {{ as_delivered }}
    from loaded

    union all

    select
        {{ as_delivered }}
    from sample_events
    where not exists (select 1 from {{ source('raw', 'flyer_events') }})

),

trimmed as (

    select
        *,
        nullif({{ trimmed('raw_event') }}, '') as event,
        {{ trimmed('raw_user_id') }} as user_id_text,
        {{ trimmed('raw_flyer_id') }} as flyer_id_text,
        {{ trimmed('raw_merchant_id') }} as merchant_id_text
    from raw_events

),

cleaned as (

    select
        *,
        {{ bounded(cleaned_id('user_id_text')) }} as user_id,
        {{ bounded(cleaned_id('flyer_id_text')) }} as flyer_id,
        {{ bounded(cleaned_id('merchant_id_text')) }} as merchant_id,
        {{ parse_instant('raw_timestamp', var('source_timezone')) }}
            as event_at
    from trimmed

),

cleaned_with_roles as (

    select
        cleaned.*,
        event_types.role
    from cleaned
    left join event_types on cleaned.event = event_types.event

),

-- One reason per row: the first that applies.
events_with_reasons as (

    select
        *,
        case
            when
                event_at is null
                and coalesce({{ trimmed('raw_timestamp') }}, '') = ''
                then 'missing_timestamp'
            when event_at is null then 'unparseable_timestamp'
            when event_at < {{ first_instant }} then 'timestamp_too_old'
            when event_at > {{ dateadd('second', skew_secs, '_loaded_at') }}
                then 'future_timestamp'
            when user_id is null then 'missing_user_id'
            when event is null then 'missing_event'
            when role is null then 'unknown_event'
            when
                length(user_id_text) > {{ longest_id() }}
                or length(flyer_id_text) > {{ longest_id() }}
                or length(merchant_id_text) > {{ longest_id() }}
                then 'id_too_long'
        end as rejection_reason
    from cleaned_with_roles

)

select
    ---------- ids
    user_id,
    flyer_id,
    merchant_id,

    ---------- event
    event,
    role,
    event_at,
    rejection_reason,

    ---------- as delivered
    raw_timestamp,
    raw_user_id,
    raw_event,
    raw_flyer_id,
    raw_merchant_id,
    _source_file,
    _source_row,
    _loaded_at
from events_with_reasons
