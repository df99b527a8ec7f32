-- each staged event is in one session part, and each that shows a known flyer
-- in one view and one session, on the dates on which these began; an increment
-- that left an old row beside a new one, or none, shows here
{%- set events = ref('stg_flyer_app__events') -%}
{%- set sequenced = ref('int_flyer_events_sequenced') -%}
{%- set parts = ref('int_flyer_session_parts') -%}
{%- set counts = [
    ('staged events', 1, events, 'date', 'count(*)'),
    ('staged events', -1, parts, 'date', 'sum(events)'),
    ('flyer events', 1, events, 'date', 'count(flyer_key)'),
    ('flyer events', -1, sequenced, 'date', 'count(*)'),
    ('flyer events of parts', 1, sequenced, 'date', 'count(*)'),
    ('flyer events of parts', -1, parts, 'date', 'sum(flyer_events)'),
    ('flyer events of views', 1, sequenced, 'view_date', 'count(*)'),
    ('flyer events of views', -1, ref('int_flyer_views'), 'date', 'sum(events)'),
    ('flyer events of sessions', 1, parts, 'session_date', 'sum(flyer_events)'),
    ('flyer events of sessions', -1, ref('int_flyer_sessions'), 'date', 'sum(flyer_events)'),
] %}

with

counts as (

    {% for what, sign, relation, date, number in counts %}
        select
            '{{ what }}' as what,
            {{ date }} as date,
            {{ sign }} * {{ number }} as events
        from {{ relation }}
        group by {{ date }}
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
