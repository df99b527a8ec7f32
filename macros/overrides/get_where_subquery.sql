{#
    dbt's own, and where FLYER_TEST_SCOPE is `touched`, only the rows that this increment has written. Tables that every
    run builds whole are tested whole, and so are those without a date: they grow slowly.
#}
{%- macro get_where_subquery(relation) -%}
    {%- set conditions = [config.get('where')] -%}
    {%- set node = graph.nodes.get(model.attached_node) if execute -%}
    {%- if node and 'date' in node.columns and node.config.incremental_strategy != 'replace_all' -%}
        {#- the list that is certainly filled before the model is built -#}
        {%- set list = 'stg_flyer_app__events_keyed' if '_loaded_at' in node.columns
            else 'int_flyer_days_to_aggregate' if 'model.flyer_analytics.int_flyer_days_to_aggregate' in node.depends_on.nodes
            else 'int_flyer_days_to_rebuild' -%}
        {%- set users = ['user_key', 'user_id'] if list == 'int_flyer_days_to_aggregate' else ['user_key'] -%}
        {%- do conditions.append(is_touched(list, (users | select('in', node.columns) | list)[:1] + ['date'])) -%}
        {%- if node.config.materialized == 'view' -%}
            {#- a date by itself reaches the tables through the joins of the view -#}
            {%- do conditions.append(is_touched(list, ['date'])) -%}
        {%- endif -%}
    {%- endif -%}
    {%- set conditions = conditions | select | reject('equalto', 'true') | list -%}
    {%- if conditions -%}
        {{ return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as dbt_subquery') }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro -%}
