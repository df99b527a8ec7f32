{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_affected'))) }}",
) }}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

flyer_views as (

    select * from {{ ref('int_flyer_views') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

flyer_sessions as (

    select * from {{ ref('int_flyer_sessions') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_affected')) }}
    {%- endif %}

),

-- One row per thing that was measured, so that a day with either kind shows.
measurements as (

    select
        user_id,
        date,
        gap_secs,
        cast(null as decimal(18, 6)) as view_secs,
        0 as views,
        cast(null as varchar(1024)) as viewed_flyer_id
    from flyer_events
    where gap_secs is not null

    union all

    select
        user_id,
        date,
        cast(null as decimal(18, 6)) as gap_secs,
        view_secs,
        1 as views,
        flyer_id as viewed_flyer_id
    from flyer_views

),

user_days as (

    select
        user_id,
        date,
        sum(gap_secs) as gap_secs,
        count(gap_secs) as measured_gaps,
        sum(view_secs) as view_secs,
        count(view_secs) as measured_views,
        sum(views) as views,
        count(distinct viewed_flyer_id) as flyers
    from measurements
    group by user_id, date

),

sessions_by_day as (

    select
        user_id,
        date,
        count(*) as sessions
    from flyer_sessions
    group by user_id, date

),

user_days_with_sessions as (

    select
        user_days.*,
        coalesce(sessions_by_day.sessions, 0) as sessions
    from user_days
    left join sessions_by_day
        on
            user_days.user_id = sessions_by_day.user_id
            and user_days.date = sessions_by_day.date

)

select
    ---------- keys
    user_id,
    date,

    ---------- measure 1: time spent
    {{ rounded('gap_secs', 'measured_gaps') }} as avg_time_spent_in_secs,
    {{ rounded('gap_secs') }} as total_time_spent_in_secs,
    measured_gaps,

    ---------- measure 2: view time
    {{ rounded('view_secs', 'measured_views') }} as avg_view_secs,
    {{ rounded('view_secs') }} as total_view_secs,
    measured_views,
    cast(views as bigint) as views,
    flyers,

    ---------- sessions
    sessions
from user_days_with_sessions
{{ clustered_by('date') }}
