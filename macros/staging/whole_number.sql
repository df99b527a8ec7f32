{#
    Worked out on the text, since a double holds 15 digits only. The patterns read an exponent only after one digit.
    cleaned_id requires a point or a plus sign beside it, since 71e2 and 1e5 may be hexadecimal.
#}
{%- macro whole_number(text) -%}
    {%- set number = "lower(" ~ text ~ ")" -%}
    {%- set mantissa = "split_part(" ~ number ~ ", 'e', 1)" -%}
    {%- set digit = "split_part(" ~ mantissa ~ ", '.', 1)" -%}
    {%- set decimals = "rtrim(split_part(" ~ mantissa ~ ", '.', 2), '0')" -%}
    {%- set exponent = "cast(replace(split_part(" ~ number ~ ", 'e', 2), '+', '') as integer)" -%}
    case
        when {{ text }} ~ '^-?[1-9][0-9]*[.]0*$' then split_part({{ text }}, '.', 1)
        when {{ number }} ~ '^-?[1-9]([.][0-9]*)?e[+]?0?[0-9]{1,2}$'
            then
                case
                    when length({{ decimals }}) <= {{ exponent }}
                        then {{ digit }} || rpad({{ decimals }}, {{ exponent }}, '0')
                end
        when {{ number }} ~ '^-?0([.]0*)?(e[+]?0?[0-9]{1,2})?$' then '0'
    end
{%- endmacro -%}
