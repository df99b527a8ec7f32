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
