{%- macro tables_of_users(user_id) -%}
    {%- set tables = [
        {
            'relation': adapter.get_relation(target.database, 'raw', 'flyer_events'),
            'condition': is_of_user(user_id),
            'file': '_source_file',
        },
        {
            'relation': adapter.get_relation(target.database, 'raw', 'rejected_lines'),
            'condition': mentions_user('line', user_id),
            'file': 'file',
        },
    ] -%}
    {#- last those in which others look up keys -#}
    {%- set last = ['stg_flyer_app__actions', 'stg_flyer_app__users'] -%}
    {%- set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | rejectattr('config.materialized', 'equalto', 'view') | sort(attribute='name') -%}
    {%- for model in models | rejectattr('name', 'in', last) | list + models | selectattr('name', 'in', last) | list -%}
        {%- set condition = is_of_user_in(model.columns, user_id) -%}
        {%- set relation = adapter.get_relation(model.database, model.schema, model.alias) -%}
        {%- if condition and relation is not none -%}
            {%- do tables.append({'relation': relation, 'condition': condition}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro -%}

{%- macro is_of_user_in(columns, user_id) -%}
    {%- if 'user_id' in columns -%}
        {{ return('user_id = ' ~ sql_text(user_id)) }}
    {%- elif 'user_key' in columns and has_keys() -%}
        {{ return(is_key_of_user(user_id)) }}
    {%- elif 'raw_user_id' in columns -%}
        {{ return(is_of_user(user_id, 'raw_')) }}
    {%- elif 'flyer_id' in columns and 'action_key' in columns and has_keys() -%}
        {{ return(is_unused_action_of_user(user_id)) }}
    {%- endif -%}
{%- endmacro -%}

{# Not if the first build was killed. #}
{%- macro has_keys() -%}
    {%- set keyed = relation_of('stg_flyer_app__events_keyed') -%}
    {{ return(adapter.get_relation(keyed.database, keyed.schema, keyed.identifier) is not none) }}
{%- endmacro -%}

{# An action that only rejected rows gave, with the id in a wrong field. If any event uses it, keys depend on it. #}
{%- macro is_unused_action_of_user(user_id) -%}
    {%- set mentions = '(' ~ mentions_user('flyer_id', user_id) ~ ' or ' ~ mentions_user('merchant_id', user_id) ~ ')' -%}
    {{ mentions }}
    and not exists (
        select 1 from {{ relation_of('stg_flyer_app__events_keyed') }}
        where action_key in (select action_key from {{ relation_of('stg_flyer_app__actions') }} where {{ mentions }})
    )
{%- endmacro -%}
