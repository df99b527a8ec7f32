{#
    The days of users whose events an increment sequences again (is_recomputed), and the days that it only reads beside
    them. Empty on a full build.

    An event affects its user's other events at most `reach` away. Reach is measured between instants, not dates: a time
    zone may skip a date, or set its clocks back over midnight.
#}
{%- set is_increment = not should_full_refresh() -%}
{%- set new_dates = ref('stg_flyer_app__new_dates') -%}
{%- set reach_secs = [var('max_gap_secs'), var('inactivity_timeout_secs')] | max -%}
{#- Events within reach are at most so many dates apart: one for the night, one for a skipped date, one for a long reach. #}
{%- set most_dates = 2 + reach_secs // (23 * 3600) %}

-- If no new row is usable, a test of the rejected rows fails, and nothing
-- downstream of here is built:
-- depends_on: {{ ref('stg_flyer_app__rejected') }}

with

events as (

    select * from {{ ref('stg_flyer_app__events_keyed') }}

),

new_days as (

    select distinct
        user_key,
        date
    from events
    where
        {% if is_increment -%}
            (
                {{ is_listed(new_dates, is_increment, columns=['date']) }}
                and _loaded_at > {{ watermark() }}
            )
            or {{ is_date_to_recompute('date', most_dates) }}
        {%- else -%}
            false
        {%- endif %}

),

-- Twice as far as reach, since days beside those to rebuild are needed too.
offsets as (

    {% for days in range(-2 * most_dates, 2 * most_dates + 1) -%}
        select {{ days }} as distance
        {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}

),

user_days as (

    select
        user_key,
        date,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from events
    where
        (
            {{ is_listed(
                new_dates,
                is_increment,
                columns=['date'],
                days_beside=2 * most_dates,
            ) }}
            or {{ is_date_to_recompute('date', 3 * most_dates) }}
        )
        and user_key in (select user_key from new_days)
    group by user_key, date

),

user_days_with_nearby_dates as (

    select
        user_days.*,
        cast({{ dateadd('day', 'offsets.distance', 'user_days.date') }} as date)
            as nearby_date
    from user_days
    cross join offsets

),

-- Each day with every day of the same user within reach, itself included.
days_within_reach as (

    select
        user_days.user_key,
        user_days.date,
        other.date as date_within_reach
    from user_days_with_nearby_dates as user_days
    inner join user_days as other
        on
            user_days.user_key = other.user_key
            and user_days.nearby_date = other.date
    where
        other.first_event_at
        < {{ dateadd('second', reach_secs, 'user_days.last_event_at') }}
        and user_days.first_event_at
        < {{ dateadd('second', reach_secs, 'other.last_event_at') }}

),

days_to_rebuild as (

    select distinct
        user_days.user_key,
        user_days.date_within_reach as date
    from days_within_reach as user_days
    inner join new_days
        on
            user_days.user_key = new_days.user_key
            and user_days.date = new_days.date

),

days_to_read as (

    select distinct
        user_days.user_key,
        user_days.date_within_reach as date
    from days_within_reach as user_days
    inner join days_to_rebuild
        on
            user_days.user_key = days_to_rebuild.user_key
            and user_days.date = days_to_rebuild.date

)

select
    ---------- keys
    days_to_read.user_key,
    days_to_read.date,

    ---------- what an increment does with the day
    days_to_rebuild.user_key is not null as is_recomputed
from days_to_read
left join days_to_rebuild
    on
        days_to_read.user_key = days_to_rebuild.user_key
        and days_to_read.date = days_to_rebuild.date
