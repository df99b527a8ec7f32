{#
    Last line of a query that fills a table: DuckDB writes rows as they come, and finds the rows of a few dates faster
    where they stand together. Redshift sorts by the table's sort key itself.
#}
{%- macro clustered_by(column) -%}
    {{ return(adapter.dispatch('clustered_by')(column)) }}
{%- endmacro -%}

{%- macro duckdb__clustered_by(column) -%}
    order by {{ column }}
{%- endmacro -%}

{%- macro redshift__clustered_by(column) -%}
{%- endmacro -%}
