{#
    A trimmed id, null where it is one of the spellings of a missing one that apps and exports use. Compared one by one:
    DuckDB would make a join of a list.
#}
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
