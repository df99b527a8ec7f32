{# In Redshift's literals, a backslash is an escape character. #}
{%- macro id_literal(text) -%}
    {{ return(sql_text(text) | replace('\\', "' || chr(92) || '")) }}
{%- endmacro -%}
