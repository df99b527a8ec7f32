{#
    dbt grants what `grants` in dbt_project.yml says on each table, which nobody can read without usage of its schema. On
    DuckDB there is no such thing, and the config is empty.
#}
{%- macro grant_schema_usage() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] -%}
        {%- set grants = [] -%}
        {%- for node in graph.nodes.values() if node.unique_id in project_models() and node.unique_id in selected_resources -%}
            {%- for grantee in node.config.grants.get('select', []) -%}
                {%- do grants.append('grant usage on schema ' ~ adapter.quote(node.schema) ~ ' to '
                    ~ redshift__format_grantees([grantee]) | first) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for grant in grants | unique -%}
            {%- call statement(auto_begin=false) -%} {{ grant }} {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
