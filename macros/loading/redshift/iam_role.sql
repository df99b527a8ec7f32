{# The role that COPY and UNLOAD take on, as they spell it: the cluster's default one, or that of the variable. #}
{%- macro iam_role() -%}
    {%- set role = env_var('FLYER_REDSHIFT_IAM_ROLE', 'default') -%}
    {{ role if role == 'default' else sql_text(role) }}
{%- endmacro -%}
