{# dbt's own, but without a transaction around the one query of a data test: two statements less for each of a hundred. #}
{%- macro statement(name=none, fetch_result=false, auto_begin=true, language='sql') -%}
    {%- set sql = caller() if execute -%}
    {%- set is_test_query = name == 'main' and model.resource_type == 'test' -%}
    {%- call dbt.statement(name, fetch_result, auto_begin and not is_test_query, language) -%} {{ sql }} {%- endcall -%}
{%- endmacro -%}
