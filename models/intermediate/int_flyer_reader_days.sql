{{ config(
    incremental_strategy='append',
    pre_hook="{{ forget_rows(is_in_days(ref('int_flyer_days_affected'))) }}",
) }}

{#
    A gap counts on the date of its event, a view on the one on which it began: mostly the same, so that one row serves
    for both. Where it is another one, a second row does.
#}

with

events_on_their_dates as (

    select
        user_key,
        flyer_key,
        date,
        gap_secs,
        case when view_date = date then view_secs end as view_secs,
        case when view_date = date then view_end_reason end as view_end_reason
    from {{ ref('int_flyer_events_sequenced') }}
    where
        (gap_secs is not null or view_date = date)
        {%- if is_incremental() %}
            and {{ is_in_days(ref('int_flyer_days_affected')) }}
        {%- endif %}

),

events_on_earlier_dates as (

    select
        user_key,
        flyer_key,
        view_date as date,
        cast(null as decimal(18, 6)) as gap_secs,
        view_secs,
        view_end_reason
    from {{ ref('int_flyer_events_sequenced') }}
    where
        view_date < date
        and view_end_reason is not null
        {%- if is_incremental() %}
            and {{ is_in_days(ref('int_flyer_days_affected'), 'view_date') }}
        {%- endif %}

),

measurements as (

    select * from events_on_their_dates
    union all
    select * from events_on_earlier_dates

)

select
    ---------- keys
    user_key,
    flyer_key,
    date,

    ---------- measure 1: time spent
    cast(sum(gap_secs) as decimal(18, 6)) as gap_secs,
    count(gap_secs) as measured_gaps,

    ---------- measure 2: view time
    cast(sum(view_secs) as decimal(18, 6)) as view_secs,
    count(view_secs) as measured_views,
    count(view_end_reason) as views
from measurements
group by user_key, flyer_key, date
{{ clustered_by('date') }}
