{# Whether the relation is there, by dbt's cache. #}
{%- macro is_build_known() -%}
    {%- set state = build_state() -%}
    {{ return(adapter.get_relation(state.database, state.schema, state.identifier) is not none) }}
{%- endmacro -%}
