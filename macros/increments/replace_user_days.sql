{#
    Incremental strategy: a user's day that was made again is replaced whole. delete+insert would join each row of it with
    each, which is too much for the user with a hundred thousand a day.
#}
{%- macro get_incremental_replace_user_days_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}

    delete from {{ arguments.target_relation }}
    where {{ is_in_days(arguments.temp_relation) }};

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro -%}
