{# Any change of a model counts, since it may change the columns that the view reads. #}
{%- macro view_mark(sql) -%}
    {%- set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') -%}
    {%- set texts = [sql, model.description, tojson(model.config.grants)]
        + models | map(attribute='checksum.checksum') | sort -%}
    {{ return('Made from ' ~ local_md5(texts | join('\n'))) }}
{%- endmacro -%}
