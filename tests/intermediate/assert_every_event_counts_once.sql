-- Every staged event is in one session part; every event that shows a known
-- flyer is in one view and one session. Fails if an increment left an old row
-- beside a new one, or none.
{%- set events = ref('stg_flyer_app__events_keyed') -%}
{%- set sequenced = ref('int_flyer_events_sequenced') -%}
{%- set parts = ref('int_flyer_session_parts') -%}
{%- set days = 'int_flyer_days_to_aggregate' -%}
{%- set counts = [
    ('staged events', 1, events, 'date', 'count(*)'),
    ('staged events', -1, parts, 'date', 'sum(events)'),
    ('flyer events', 1, sequenced, 'date', 'count(*)'),
    ('flyer events', -1, parts, 'date', 'sum(flyer_events)'),
    ('flyer events of views', 1, sequenced, 'date', 'count(*)'),
    ('flyer events of views', -1, ref('int_flyer_events_in_views'), 'date', 'count(*)'),
] -%}
{#- Sessions may have another date than their events, so they are compared where all rows are. -#}
{%- if is_touched(days, ['date']) == 'true' -%}
    {%- do counts.extend([
        ('flyer events of sessions', 1, sequenced, none, 'count(*)'),
        ('flyer events of sessions', -1, ref('int_flyer_sessions'), none, 'sum(flyer_events)'),
    ]) -%}
{%- endif %}

with

counts as (

    {% for what, sign, relation, date, number in counts %}
        select
            '{{ what }}' as what,
            {{ date or 'cast(null as date)' }} as date,
            {{ sign }} * {{ number }} as events
        from {{ relation }}
        {% if date %}
            where {{ is_touched(days, [date]) }}
            group by {{ date }}
        {% endif %}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}

)

select
    what,
    date,
    sum(events) as missing_events
from counts
group by what, date
having sum(events) <> 0
