{# A float has a point or a plus sign. Most ids have neither, so they are not matched with the patterns of numbers. #}
{%- macro cleaned_id(text) -%}
    case
        when {{ text }} like '%.%' or {{ text }} like '%+%' then coalesce({{ whole_number(text) }}, {{ text }})
        when {{ is_missing_id(text) }} then null
        else {{ text }}
    end
{%- endmacro -%}
