{# dbt's own, but an unchanged view is not dropped and created: a query on it would fail at that moment. #}
{%- materialization view, adapter='redshift' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing and existing.is_view and not should_full_refresh() and view_mark(sql) in comment_of_view(this) -%}
        {%- call noop_statement('main', 'SKIP', 'SKIP') -%} {{ sql }} {%- endcall -%}
        {{ return({'relations': [existing]}) }}
    {%- endif -%}
    {{ return(dbt.materialization_view_redshift()) }}
{%- endmaterialization -%}

{%- macro comment_of_view(relation) -%}
    {%- set comments = query_once(
        'select nspname, relname, description from pg_catalog.pg_description'
        ~ ' inner join pg_catalog.pg_class on objoid = pg_class.oid and objsubid = 0'
        ~ ' inner join pg_catalog.pg_namespace on relnamespace = pg_namespace.oid'
        ~ " where relkind = 'v' and description like '%Made from %'"
    ) -%}
    {%- for row in comments if row.nspname == relation.schema and row.relname == relation.identifier -%}
        {{ return(row.description) }}
    {%- endfor -%}
    {{ return('') }}
{%- endmacro -%}
