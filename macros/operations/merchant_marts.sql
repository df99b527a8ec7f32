{#
    These marts contain no users, and hide figures based on few readers. The privilege names each column, since dbt revokes
    a privilege on a whole table that the table's own config does not grant.
#}
{%- macro merchant_marts() -%}
    {%- set marts = [] -%}
    {%- for name in ['merchant_flyer_daily', 'merchant_hourly'] -%}
        {%- do marts.append({
            'relation': relation_of(name).include(database=false),
            'select': 'select (' ~ graph.nodes['model.flyer_analytics.' ~ name].columns | join(', ') ~ ')',
        }) -%}
    {%- endfor -%}
    {{ return(marts) }}
{%- endmacro -%}
