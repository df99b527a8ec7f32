{{ config(unique_key=['user_id', 'date'], dist='user_id') }}
{%- set days = ref('int_flyer_days_to_aggregate') %}

{# Rows keep the order of reader_days, by date: sorting them again with their texts takes as long as all the rest. #}

with

reader_days as (

    select * from {{ ref('int_flyer_reader_days') }}
    where {{ is_listed(days, is_incremental(), recomputed=true) }}

),

users as (

    select * from {{ ref('int_flyer_users') }}

),

flyers as (

    select * from {{ ref('int_flyer_actions') }}

)

select
    ---------- keys
    flyers.merchant_id,
    flyers.flyer_id,
    users.user_id,
    reader_days.date,

    ---------- measure 1: time spent
    {{ rounded('reader_days.gap_secs') }} as total_time_spent_in_secs,
    {{ rounded('reader_days.gap_secs', 'reader_days.measured_gaps') }}
        as avg_time_spent_in_secs,
    reader_days.measured_gaps,

    ---------- measure 2: view time
    {{ rounded('reader_days.view_secs') }} as total_view_secs,
    {{ rounded('reader_days.view_secs', 'reader_days.measured_views') }}
        as avg_view_secs,
    reader_days.measured_views,
    reader_days.views
from reader_days
inner join users on reader_days.user_key = users.user_key
inner join flyers on reader_days.flyer_key = flyers.action_key
