{{ config(incremental_strategy='append') }}

{#
    Loads have an order, and so have the users of one load: a full refresh gives everybody the number that increments
    gave.
#}

with

-- Grouped as they came, so that each is cleaned once, not in each row.
spellings as (

    select
        raw_user_id,
        min(_loaded_at) as _loaded_at
    from {{ ref('base_flyer_app__events') }}
    {%- if is_incremental() %}
        where _loaded_at > {{ processed_to('_loaded_at') }}
    {%- endif %}
    group by raw_user_id

),

spellings_cleaned as (

    select
        {{ id_or_null(trimmed('raw_user_id')) }} as user_id,
        _loaded_at
    from spellings

),

users_delivered as (

    select
        user_id,
        min(_loaded_at) as _loaded_at
    from spellings_cleaned
    group by user_id

),

new_users as (

    select * from users_delivered
    where
        -- null is no user
        length(user_id) <= {{ longest_id() }}
        {%- if is_incremental() %}
            and user_id not in (select user_id from {{ this }})
        {%- endif %}

)

select
    cast(
        row_number() over (order by _loaded_at, user_id)
        {%- if is_incremental() %}
            + (select coalesce(max(user_key), 0) from {{ this }})
        {%- endif %}
        as integer
    ) as user_key,
    cast(user_id as varchar(1024)) as user_id,
    _loaded_at
from new_users
