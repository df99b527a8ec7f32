{#
    What an increment has to do. It is filled when a run begins and emptied when one has built every model; while
    everything is built it stays empty.
#}
{%- set is_increment = not should_full_refresh() -%}

with

new_events as (

    select
        user_key,
        date,
        event_at
    from {{ ref('stg_flyer_app__events_keyed') }}
    where
        {% if is_increment -%}
            _loaded_at > cast('{{ completed_to() }}' as timestamp)
            or {{ is_to_recompute('date', days_in_reach() | max) }}
        {%- else -%}
        false
        {%- endif %}

),

user_days as (

    select
        user_key,
        date,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from new_events
    group by user_key, date

),

-- An event changes gaps and views as far as the longest limit away.
user_days_with_reach as (

    select
        user_key,
        date,
        {{ local_date(dateadd('second', -reach_secs(), 'first_event_at')) }}
            as first_date,
        {{ local_date(dateadd('second', reach_secs(), 'last_event_at')) }}
            as last_date
    from user_days

),

distances as (

    {% for days in [0] + days_in_reach() -%}
        select {{ days }} as distance
        {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}

),

user_days_in_reach as (

    select
        user_days.user_key,
        user_days.first_date,
        user_days.last_date,
        cast(
            {{ dateadd('day', 'distances.distance', 'user_days.date') }} as date
        ) as date
    from user_days_with_reach as user_days
    cross join distances

)

select distinct
    ---------- keys
    user_key,
    date
from user_days_in_reach
where date between first_date and last_date
