{# dbt grants privileges on tables, which cannot be read without usage of their schema. On DuckDB `grants` is empty. #}
{%- macro grant_schema_usage() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] -%}
        {%- set grants = [] -%}
        {%- set models = project_models() -%}
        {%- for node in graph.nodes.values() if node.unique_id in models and node.unique_id in selected_resources -%}
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
