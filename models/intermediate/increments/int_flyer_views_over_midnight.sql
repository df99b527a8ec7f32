{#
    When the views began that are carried over midnight. A few rows, computed whole in every run, so that none is outdated
    when a view of several days gets another start.
#}

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
        {%- for column in ['started_at', 'action_key', 'date'] %}
        last_value(first_{{ column }} ignore nulls) over (
            partition by user_key
            order by part_started_at, case when is_carried then 0 else 1 end
            rows between unbounded preceding and current row
        ) as view_{{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
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
