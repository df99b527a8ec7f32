{# First and last date that `2018-10-01` or `2018-10-01/2018-10-31` names: empty for no text, none where it is no such. #}
{%- macro date_range(text) -%}
    {%- set dates = (text | string).split('/') if text else [] -%}
    {%- for date in dates if not modules.re.fullmatch(calendar_date(), date) -%}{{ return(none) }}{%- endfor -%}
    {{ return(none if dates | length > 2 or dates | sort != dates else [dates[0], dates[-1]] if dates else []) }}
{%- endmacro -%}

{# Regular expression of a date of the calendar, from 1900 on. #}
{%- macro calendar_date() -%}
    {{ return(
        '(?:19|2[0-9])[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])'
        ~ '|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))'
        ~ '|(?:(?:19|2[0-9])(?:0[48]|[2468][048]|[13579][26])|2[048]00)-02-29'
    ) }}
{%- endmacro -%}
