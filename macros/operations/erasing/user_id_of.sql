{# With a letter before the id: dbt would make a number of digits. #}
{%- macro user_id_of(user) -%}
    {%- set user_id = run_query("select 'u' || " ~ cleaned_id(trimmed(sql_text(user)))).columns[0].values() | first -%}
    {%- if not user_id -%}
        {{ exceptions.raise_compiler_error("'" ~ user ~ "' is no user's id: cleansing takes it for a missing one") }}
    {%- endif -%}
    {{ return(user_id[1:]) }}
{%- endmacro -%}
