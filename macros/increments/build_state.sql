{%- macro build_state() -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name('staging', none), identifier='build_state', type='table'
    )) }}
{%- endmacro -%}
