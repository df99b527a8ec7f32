{#
    The user's days that an increment of this model makes again, and those around them that it reads, as the first CTEs
    of its query: days_read, with is_touched 1 or 0.

    What a new event merges with what began after it begins earlier than it did, up to its end on any later day.
    `started_at` is the model's column that says when a row's view or session began.
#}
{%- macro user_days_to_make(days_touched, started_at) -%}
days_listed as (

    select * from {{ days_touched }}

),

-- What went on in a touched day may begin earlier now, in later days too.
going_on as (

    select
        user_key,
        {{ started_at }} as started_at,
        min(date) as first_date
    from {{ this }}
    where {{ is_in_days('days_listed') }}
    group by user_key, {{ started_at }}

),

days_touched as (

    select
        user_key,
        date
    from days_listed

    union all

    select
        known.user_key,
        known.date
    from {{ this }} as known
    inner join going_on
        on
            known.user_key = going_on.user_key
            and known.{{ started_at }} = going_on.started_at
            and known.date > going_on.first_date

),

days_marked as (

    select
        user_key,
        date,
        1 as is_touched
    from days_touched
    {%- for days in days_in_reach() %}

    union all

    select
        user_key,
        cast({{ dateadd('day', days, 'date') }} as date) as date,
        0 as is_touched
    from days_touched
    {%- endfor %}

),

days_read as (

    select
        user_key,
        date,
        max(is_touched) as is_touched
    from days_marked
    group by user_key, date

),
{%- endmacro -%}
