{# A text without the blanks around it. #}
{%- macro trimmed(text) -%}
    {{ return(adapter.dispatch('trimmed')(text)) }}
{%- endmacro -%}

{# To look for blanks costs a tenth of trimming, and few texts have any. #}
{%- macro duckdb__trimmed(text) -%}
    case
        when
            {%- for blank in blanks().split(' || ') %}
            {{ 'or ' if not loop.first }}contains({{ text }}, {{ blank }})
            {%- endfor %}
            then trim(both {{ blanks() }} from {{ text }})
        else {{ text }}
    end
{%- endmacro -%}

{%- macro redshift__trimmed(text) -%}
    trim(both {{ blanks() }} from {{ text }})
{%- endmacro -%}

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

{# Characters that an id may have. #}
{%- macro longest_id() -%}
    256
{%- endmacro -%}

{# What may stand around a value without being part of it, as an SQL expression. #}
{%- macro blanks() -%}
    ' ' || chr(9) || chr(10) || chr(13)
{%- endmacro -%}
