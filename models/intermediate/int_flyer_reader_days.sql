{% set is_increment = is_incremental() -%}
{%- set days = ref('int_flyer_days_to_aggregate') %}

{#
    Gaps count on their event's date, views on their start date. These rarely differ: where they do, an event gives two
    rows to add up.
#}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_in_views') }}
    where {{ is_listed(days, is_increment, columns=['date']) }}

),

measured_on_event_dates as (

    select
        user_key,
        flyer_key,
        date,
        gap_secs,
        case when view_date = date then view_secs end as view_secs,
        case when view_date = date then view_end_reason end as view_end_reason
    from flyer_events
    where gap_secs is not null or view_date = date

),

measured_on_start_dates as (

    select
        user_key,
        flyer_key,
        view_date as date,
        cast(null as decimal(18, 6)) as gap_secs,
        view_secs,
        view_end_reason
    from flyer_events
    where view_date <> date

),

measurements as (

    select * from measured_on_event_dates
    union all
    select * from measured_on_start_dates

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
where {{ is_listed(days, is_increment, recomputed=true) }}
group by user_key, flyer_key, date
{{ clustered_by('date') }}
