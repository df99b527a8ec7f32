{#
    An id in the place of the timestamp or the event counts only where that makes the row unusable: no usable row of another
    user is ever deleted. In words of both engines, since DuckDB looks through files with it.
#}
{%- macro is_of_user(user_id, prefix='') -%}
    {%- set column = {} -%}
    {%- for name in event_columns() -%}{%- do column.update({name: adapter.quote(prefix ~ name)}) -%}{%- endfor -%}
    {%- set cleaned = cleaned_id(trimmed(column.user_id)) -%}
    {%- set seed = graph.nodes['seed.flyer_analytics.event_types'] -%}
    {%- set event_types = api.Relation.create(database=seed.database, schema=seed.schema, identifier=seed.alias) -%}
    (
        {{ cleaned }} = {{ sql_text(user_id) }}
        or (
            {{ mentions_user(column.timestamp, user_id) }}
            and not {{ column.timestamp }} ~ '^[ ]*[0-9]{4}-[0-9]{2}-[0-9]{2}.*$'
        )
        or (
            {{ mentions_user(column.event, user_id) }}
            and {{ trimmed(column.event) }} not in (
                {%- for row in query_once('select event from ' ~ event_types) -%}
                {{ sql_text(row[0]) }}{{ ', ' if not loop.last }}
                {%- endfor -%}
            )
        )
        or (
            {{ cleaned }} is null
            and ({{ mentions_user(column.flyer_id, user_id) }} or {{ mentions_user(column.merchant_id, user_id) }})
        )
    )
{%- endmacro -%}
