{# Each by itself, since VACUUM does not run within a transaction, which reading the catalog has begun. #}
{%- macro vacuum_erased() -%}
    {%- set tables = tables_of_users('') -%}
    {%- do run_query('commit') -%}
    {%- for table in tables -%}
        {%- do run_query('vacuum delete only ' ~ table.relation.include(database=false) ~ ' to 100 percent') -%}
    {%- endfor -%}
{%- endmacro -%}
