{%- macro trimmed(text) -%}
    {{ return(adapter.dispatch('trimmed')(text)) }}
{%- endmacro -%}

{# Few texts have blanks, and looking for them costs a tenth of trimming. #}
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
