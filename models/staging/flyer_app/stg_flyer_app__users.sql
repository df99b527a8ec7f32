{{ config(sort='user_id') }}
{%- set is_increment = is_incremental() %}

{#
    Keys follow the order of loads and, within a load, of ids: a full refresh gives every user the key that increments
    gave.
#}

-- Built after the dates, so that the events of these dates find their keys:
-- depends_on: {{ ref('stg_flyer_app__new_dates') }}

with

events_trimmed as (

    select
        {{ bounded(trimmed('raw_user_id')) }} as user_id_text,
        _loaded_at
    from {{ ref('base_flyer_app__events') }}
    where {{ is_unprocessed(is_increment) }}

),

-- Grouped by spelling, so that each is cleaned once, not each row.
spellings as (

    select
        user_id_text,
        min(_loaded_at) as _loaded_at
    from events_trimmed
    where length(user_id_text) <= {{ longest_id() }}
    group by user_id_text

),

spellings_cleaned as (

    select
        {{ cleaned_id('user_id_text') }} as user_id,
        _loaded_at
    from spellings

),

users_delivered as (

    select
        user_id,
        min(_loaded_at) as _loaded_at
    from spellings_cleaned
    where user_id is not null
    group by user_id

),

new_users as (

    select delivered.*
    from users_delivered as delivered
    {%- if is_increment %}
        left join {{ this }} as known on delivered.user_id = known.user_id
        where known.user_key is null
    {%- endif %}

)

select
    cast(
        row_number() over (order by _loaded_at, user_id)
        {%- if is_increment %}
            + (select coalesce(max(user_key), 0) from {{ this }})
        {%- endif %}
        as integer
    ) as user_key,
    cast(user_id as varchar(1024)) as user_id,
    _loaded_at
from new_users
