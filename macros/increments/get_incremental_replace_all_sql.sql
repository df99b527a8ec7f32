{# As a table that is made again, but no reader ever finds it missing or replaced, and its comments and grants stay. #}
{%- macro get_incremental_replace_all_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }};

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro -%}
