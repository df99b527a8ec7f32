{%- macro relation_of(name) -%}
    {%- set node = graph.nodes['model.flyer_analytics.' ~ name] -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro -%}
