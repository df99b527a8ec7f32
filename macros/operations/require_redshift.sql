{%- macro require_redshift(what) -%}
    {%- if target.type != 'redshift' -%}
        {{ exceptions.raise_compiler_error(what ~ " needs Redshift; target " ~ target.name ~ " is " ~ target.type) }}
    {%- endif -%}
{%- endmacro -%}
