{# dbt's cache answers, so models can ask without a query. #}
{%- macro is_build_known() -%}
    {%- set state = build_state() -%}
    {{ return(adapter.get_relation(state.database, state.schema, state.identifier) is not none) }}
{%- endmacro -%}
