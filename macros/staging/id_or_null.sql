{# Compared one by one, since DuckDB would turn a list into a join. #}
{%- macro id_or_null(text) -%}
    case
        when
            lower({{ text }}) <> ''
            and lower({{ text }}) <> 'null'
            and lower({{ text }}) <> '<null>'
            and lower({{ text }}) <> '%3cnull%3e'
            and lower({{ text }}) <> '%3cnull%3g'
            then {{ text }}
    end
{%- endmacro -%}
