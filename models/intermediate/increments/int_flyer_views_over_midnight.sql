{#
    When the views began that are carried over midnight. A few rows, computed whole in every run, so that none is outdated
    when a view of several days gets another start.
#}
{%- set timeline =
    'partition by user_key order by part_started_at, case when is_carried then 0 else 1 end' %}

with

-- A carried part belongs to the last part before it that was not carried.
parts as (

    select distinct
        user_key,
        date,
        part_started_at,
        part_action_key,
        is_carried,
        case when not is_carried then part_started_at end as first_started_at,
        case when not is_carried then part_action_key end as first_action_key,
        case when not is_carried then date end as first_date
    from {{ ref('int_flyer_view_parts') }}
    where is_carried or goes_on

),

parts_with_starts as (

    select
        user_key,
        date,
        part_started_at,
        part_action_key,
        is_carried,
        last_value(first_started_at ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_started_at,
        last_value(first_action_key ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_action_key,
        last_value(first_date ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as view_date
    from parts

)

select
    ---------- part
    user_key,
    date,
    part_started_at,
    part_action_key,

    ---------- start of its view
    view_started_at,
    view_action_key,
    view_date
from parts_with_starts
where is_carried
