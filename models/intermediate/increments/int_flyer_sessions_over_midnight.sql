{#
    When the sessions began that are carried over midnight. A few rows, computed whole in every run, so that none is
    outdated when a session of several days gets another start.
#}
{%- set timeline =
    'partition by user_key order by started_at' %}

with

-- A carried part belongs to the last part before it that was not carried.
parts as (

    select
        *,
        case when not is_carried then started_at end as first_started_at,
        case when not is_carried then date end as first_date
    from {{ ref('int_flyer_session_parts') }}
    where is_carried or goes_on

),

parts_with_starts as (

    select
        *,
        last_value(first_started_at ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as session_started_at,
        last_value(first_date ignore nulls) over (
            {{ timeline }}
            rows between unbounded preceding and current row
        ) as session_date
    from parts

)

select
    ---------- part
    user_key,
    date,
    started_at as part_started_at,

    ---------- start of its session
    session_started_at,
    session_date
from parts_with_starts
where is_carried
