{%- macro date_range(text) -%}
    {%- set dates = (text | string).split('/') if text else [] -%}
    {%- for date in dates if not is_date(date) -%}{{ return(none) }}{%- endfor -%}
    {{ return(none if dates | length > 2 or dates | sort != dates else [dates[0], dates[-1]] if dates else []) }}
{%- endmacro -%}
