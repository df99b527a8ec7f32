{%- macro is_missing_id(text) -%}
    {{ return(adapter.dispatch('is_missing_id')(text)) }}
{%- endmacro -%}

{# Most ids are long or begin with a digit, and need no regular expression. DuckDB 1.5 turns a list into a join. #}
{%- macro duckdb__is_missing_id(text) -%}
    {{ text }} not between '0' and ':'
    and length({{ text }}) <= {{ missing_ids() | map('length') | max }}
    and lower({{ text }}) ~ '^(\Q{{ missing_ids() | join("\\E|\\Q") }}\E)$'
{%- endmacro -%}

{# In Redshift's literals, a backslash is an escape character. #}
{%- macro redshift__is_missing_id(text) -%}
    lower({{ text }}) in ('{{ missing_ids() | join("', '") | replace("\\", "' || chr(92) || '") }}')
{%- endmacro -%}
