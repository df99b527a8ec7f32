{%- macro iam_role() -%}
    {%- set role = env_var('FLYER_REDSHIFT_IAM_ROLE', 'default') -%}
    {{ role if role == 'default' else sql_text(role) }}
{%- endmacro -%}
