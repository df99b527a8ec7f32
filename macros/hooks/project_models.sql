{%- macro project_models() -%}
    {{ return(
        graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('package_name', 'equalto', project_name) | map(attribute='unique_id') | list
    ) }}
{%- endmacro -%}
