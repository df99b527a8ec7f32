{# The driver would ignore the user, and log in as the role of the AWS credentials. #}
{%- macro validate_login() -%}
    {%- if target.type == 'redshift' and target.method == 'iam' and 'serverless' in target.host -%}
        {{ exceptions.raise_compiler_error(
            "FLYER_REDSHIFT_METHOD=iam, which logs in as FLYER_REDSHIFT_USER, exists on clusters only, and " ~ target.host
            ~ " is Serverless. Use iam_role, which logs in as the role of the AWS credentials, or database, with a password."
        ) }}
    {%- endif -%}
{%- endmacro -%}
