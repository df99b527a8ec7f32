{# Most ids have neither a point nor a plus sign, and are no numbers to write in another way. #}
{%- macro cleaned_id(text) -%}
    case
        when {{ text }} like '%.%' or {{ text }} like '%+%' then coalesce({{ whole_number(text) }}, {{ text }})
        when {{ is_missing_id(text) }} then null
        else {{ text }}
    end
{%- endmacro -%}
