{#
    Works on text, since a double holds only 15 digits. An exponent counts after one digit only, and with a point or a plus
    sign: 71e2 may be a hexadecimal id.
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
