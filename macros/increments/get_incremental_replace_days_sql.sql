{# The list tells which days to delete, not the new rows, since a day may have no rows any more. #}
{%- macro get_incremental_replace_days_sql(arguments) -%}
    {%- set keys = arguments.unique_key | join(', ') -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set lists = [] -%}
    {%- for name in ['int_flyer_days_to_aggregate', 'int_flyer_days_to_rebuild'] -%}
        {%- if 'model.' ~ project_name ~ '.' ~ name in model.depends_on.nodes -%}
            {%- do lists.append(relation_of(name) ~ ' where is_recomputed') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set listed = lists[0] or arguments.temp_relation -%}

    delete from {{ arguments.target_relation }}
    where
        {%- if var('recompute_dates') %}
        {{ is_date_to_recompute('date') }} or
        {%- endif %}
        (
            date in (select date from {{ listed }})
            and ({{ keys }}) in (select {{ keys }} from {{ listed }})
        );

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro -%}
