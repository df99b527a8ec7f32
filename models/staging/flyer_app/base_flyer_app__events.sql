{{ config(materialized='view') }}

{#
    One row per raw row, cleaned and judged, none dropped. Everything else reads raw events through
    stg_flyer_app__events (the usable ones, each once) or stg_flyer_app__rejected (the others).
#}

{%- set null_tokens = ['', 'null', '<null>', '%3cnull%3e', '%3cnull%3g'] -%}
{%- set blanks = "' ' || chr(9) || chr(10) || chr(13)" -%}

with

loaded as (

    select * from {{ source('raw', 'flyer_events') }}

),

sample as (

    select * from {{ ref('sample_flyer_events') }}

),

event_types as (

    select * from {{ ref('event_types') }}

),

-- The sample serves only while nothing is loaded.
raw_events as (

    select
        "timestamp" as raw_timestamp,
        user_id as raw_user_id,
        event as raw_event,
        flyer_id as raw_flyer_id,
        merchant_id as raw_merchant_id,
        _source_file,
        _source_row,
        _loaded_at
    from loaded

    union all

    select
        "timestamp" as raw_timestamp,
        user_id as raw_user_id,
        event as raw_event,
        flyer_id as raw_flyer_id,
        merchant_id as raw_merchant_id,
        _source_file,
        _source_row,
        _loaded_at
    from sample
    where not exists (select 1 from loaded)

),

trimmed as (

    select
        *,
        nullif(trim(both {{ blanks }} from raw_timestamp), '') as timestamp_text,
        nullif(trim(both {{ blanks }} from raw_event), '') as event,
        {%- for id in ['user_id', 'flyer_id', 'merchant_id'] %}
        trim(both {{ blanks }} from raw_{{ id }}) as {{ id }}_text{{ ',' if not loop.last }}
        {%- endfor %}
    from raw_events

),

-- Apps and exports spell a missing id in several ways; all mean null.
ids_cleaned as (

    select
        *,
        {%- for id in ['user_id', 'flyer_id', 'merchant_id'] %}
        case
            when lower({{ id }}_text) not in ('{{ null_tokens | join("', '") }}')
                then {{ id }}_text
        end as {{ id }}{{ ',' if not loop.last }}
        {%- endfor %}
    from trimmed

),

instants_parsed as (

    select
        *,
        {{ parse_instant('timestamp_text', var('source_timezone')) }} as event_at
    from ids_cleaned

),

-- One reason a row, the first that applies.
judged as (

    select
        instants_parsed.*,
        event_types.role,
        case
            when timestamp_text is null then 'missing_timestamp'
            when event_at is null then 'unparseable_timestamp'
            when event_at < cast('{{ var("earliest_event_date") }}' as timestamp)
                then 'timestamp_too_old'
            when
                event_at
                > {{ dateadd('second', var('max_clock_skew_secs'), '_loaded_at') }}
                then 'future_timestamp'
            when user_id is null then 'missing_user_id'
            when instants_parsed.event is null then 'missing_event'
            when event_types.event is null then 'unknown_event'
            when
                length(user_id) > 256
                or length(flyer_id) > 256
                or length(merchant_id) > 256
                then 'id_too_long'
        end as rejection_reason
    from instants_parsed
    left join event_types on instants_parsed.event = event_types.event

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
from judged
