{#
    The table of one row that describes the last complete build: up to which load, under which settings, from which events.
    It exists only while a complete build is known, so that its existence can be asked of dbt's cache, without a query.
#}
{%- macro build_state() -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name('staging', none), identifier='build_state', type='table'
    )) }}
{%- endmacro -%}
