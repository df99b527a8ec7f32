{# None of the mentions is in a usable row, so no usable row of another user is ever deleted. #}
{%- macro is_of_user(user_id, prefix='') -%}
    {%- set column = {} -%}
    {%- for name in event_columns() -%}{%- do column.update({name: adapter.quote(prefix ~ name)}) -%}{%- endfor -%}
    {%- set cleaned = cleaned_id(trimmed(column.user_id)) -%}
    (
        {{ cleaned }} = {{ sql_text(user_id) }}
        or {{ mentions_user(column.timestamp, user_id) }}
        or {{ mentions_user(column.event, user_id) }}
        or (
            {{ cleaned }} is null
            and ({{ mentions_user(column.flyer_id, user_id) }} or {{ mentions_user(column.merchant_id, user_id) }})
        )
    )
{%- endmacro -%}
