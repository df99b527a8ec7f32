{#
    dbt's own, but for increments: comments are as the table was made, and dbt would send one statement for each column on
    every run, some two hundred, which on Redshift takes longer than a small increment does.
#}
{%- macro persist_docs(relation, model, for_relation=true, for_columns=true) -%}
    {%- if not is_incremental() -%}
        {%- if target.type == 'redshift' and relation.is_view -%}
            {%- set model = dict(model, description=model.description | trim ~ '\n\n' ~ view_mark(sql)) -%}
        {%- endif -%}
        {{ return(adapter.dispatch('persist_docs', 'dbt')(relation, model, for_relation, for_columns)) }}
    {%- endif -%}
{%- endmacro -%}
