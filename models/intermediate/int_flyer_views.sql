{{ config(
    incremental_strategy='append',
    pre_hook=[
        "{{ forget_rows(is_in_days(ref('int_flyer_days_affected'))) }}",
        "{{ reopen_log(ref('int_flyer_session_parts'), ref('int_flyer_days_touched')) }}",
    ],
) }}

with

flyer_events as (

    select * from {{ ref('int_flyer_events_sequenced') }}
    {%- if is_incremental() %}
        where {{ is_in_days(ref('int_flyer_days_affected'), 'view_date') }}
    {%- endif %}

),

item_events as (

    select event from {{ ref('stg_flyer_app__event_types') }}
    where counts_as = 'item'

),

-- Views of one user that start at the same instant differ in what they show, or
-- in the event that started them.
views as (

    select
        user_id,
        flyer_id,
        merchant_id,
        view_started_at as started_at,
        view_started_with as started_with,
        max(event_at) as last_event_at,
        view_date as date,
        count(*) as events,
        sum(
            case when event in (select event from item_events) then 1 else 0 end
        ) as items_opened,
        cast(sum(on_screen_secs) as decimal(18, 6)) as view_secs,
        max(view_end_reason) as end_reason,
        max(case when view_went_to_other_merchant then 1 else 0 end)
            as went_to_other_merchant
    from flyer_events
    group by
        user_id,
        flyer_id,
        merchant_id,
        view_started_at,
        view_started_with,
        view_date

),

last_screens as (

    select
        user_id,
        max(last_screen_at) as last_screen_at
    from {{ ref('int_flyer_session_parts') }}
    {%- if is_incremental() %}
        where
            user_id in (
                select user_id from {{ ref('int_flyer_days_affected') }}
            )
    {%- endif %}
    group by user_id

)

select
    ---------- ids
    views.user_id,
    views.flyer_id,
    views.merchant_id,

    ---------- time
    views.started_at,
    views.started_with,
    views.last_event_at,
    views.date,

    ---------- measures
    views.events,
    cast(views.items_opened as bigint) as items_opened,
    views.view_secs,

    ---------- end
    case
        when
            views.end_reason = 'idle'
            and views.last_event_at >= last_screens.last_screen_at
            then 'end_of_log'
        else views.end_reason
    end as end_reason,
    views.went_to_other_merchant = 1 as went_to_other_merchant
from views
inner join last_screens on views.user_id = last_screens.user_id
{{ clustered_by('date') }}
