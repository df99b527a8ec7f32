{{ config(incremental_strategy='replace_all', dist='all') }}

{#
    An increment reads these dates of the staged events, and no others. Empty on a full build.
#}

with

events as (

    select * from {{ ref('base_flyer_app__events') }}

)

select
    {{ local_date('event_at') }} as date,
    max(_loaded_at) as _loaded_at
from events
where
    {% if not should_full_refresh() -%}
        rejection_reason is null
        and _loaded_at > {{ watermark() }}
    {%- else -%}
        false
    {%- endif %}
group by {{ local_date('event_at') }}
