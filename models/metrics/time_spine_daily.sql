with

reported_dates as (

    select
        min(date) as first_date,
        max(date) as last_date
    from {{ ref('user_daily_avg_flyer_time') }}

),

-- More days than lie between any two dates that a var allows, from 1.
days as (

    {{ dbt.generate_series(131072) }}

),

dates as (

    select
        cast(
            {{ dbt.dateadd(
                'day',
                'cast(days.generated_number as integer) - 1',
                'reported_dates.first_date',
            ) }} as date
        ) as date,
        reported_dates.last_date
    from reported_dates
    cross join days

)

select date
from dates
where date <= last_date
