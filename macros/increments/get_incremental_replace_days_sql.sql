{# The list tells which days to delete, not the new rows, since a day may have no rows any more. #}
{%- macro get_incremental_replace_days_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set lists = ['int_flyer_days_to_aggregate', 'int_flyer_days_to_rebuild', 'stg_flyer_app__new_dates'] -%}
    {%- set list = lists | select('in', model.depends_on.nodes | map('replace', 'model.' ~ project_name ~ '.', '') | list) | first -%}
    {%- set is_by_day = list != 'stg_flyer_app__new_dates' -%}

    delete from {{ arguments.target_relation }}
    where
        {%- if var('recompute_dates') %}
        {{ is_date_to_recompute('date') }} or
        {%- endif %}
        (
            {{ is_listed(relation_of(list), true, columns=['date'], recomputed=is_by_day) }}
            {%- if arguments.unique_key != ['date'] %}
            and ({{ arguments.unique_key | join(', ') }}) in (
                select {{ arguments.unique_key | join(', ') }}
                from {{ relation_of(list) ~ ' where is_recomputed' if is_by_day else arguments.temp_relation }}
            )
            {%- endif %}
        );

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro -%}
