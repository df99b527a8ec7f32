{# Unlike a table that dbt drops and creates, it is never missing for its readers, and keeps its comments and grants. #}
{%- macro get_incremental_replace_all_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }};

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro -%}
