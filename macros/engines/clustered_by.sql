{#
    DuckDB stores rows in the order in which they are written, and reads those of a few dates faster if they are stored
    together. Redshift sorts by the table's sort key.
#}
{%- macro clustered_by(column) -%}
    {{ return(adapter.dispatch('clustered_by')(column)) }}
{%- endmacro -%}

{%- macro duckdb__clustered_by(column) -%}
    order by {{ column }}
{%- endmacro -%}

{%- macro redshift__clustered_by(column) -%}
{%- endmacro -%}
