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

-- One row per thing that was measured, so that a day with either kind shows.
measurements as (

    select
        merchant_id,
        flyer_id,
        user_id,
        date,
        gap_secs,
        cast(null as decimal(18, 6)) as view_secs,
        0 as views
    from flyer_events
    where gap_secs is not null

    union all

    select
        merchant_id,
        flyer_id,
        user_id,
        date,
        cast(null as decimal(18, 6)) as gap_secs,
        view_secs,
        1 as views
    from flyer_views

),

engagement as (

    select
        merchant_id,
        flyer_id,
        user_id,
        date,
        sum(gap_secs) as gap_secs,
        count(gap_secs) as measured_gaps,
        sum(view_secs) as view_secs,
        count(view_secs) as measured_views,
        sum(views) as views
    from measurements
    group by merchant_id, flyer_id, user_id, date

)

select
    ---------- keys
    merchant_id,
    flyer_id,
    user_id,
    date,

    ---------- measure 1: time spent
    {{ rounded('gap_secs') }} as total_time_spent_in_secs,
    {{ rounded('gap_secs', 'measured_gaps') }} as avg_time_spent_in_secs,
    measured_gaps,

    ---------- measure 2: view time
    {{ rounded('view_secs') }} as total_view_secs,
    {{ rounded('view_secs', 'measured_views') }} as avg_view_secs,
    measured_views,
    cast(views as bigint) as views
from engagement
{{ clustered_by('date') }}
