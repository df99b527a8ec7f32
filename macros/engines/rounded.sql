{#
    Rounding the quotient would lose halves: 23 / 40 is 0.575, which no double represents exactly, and rounds to 0.57. So
    the half is added before the division, which is exact where it matters: its result is then a whole number. A total
    alone is a decimal, which `round` rounds exactly.
#}
{%- macro rounded(total, count=none, decimals=2) -%}
    {%- if count is none -%}
        cast(round({{ total }}, {{ decimals }}) as decimal(18, {{ decimals }}))
    {%- else -%}
        cast(
            cast(
                floor(cast({{ 2 * 10 ** decimals }} * {{ total }} + {{ count }} as double precision) / nullif(2 * {{ count }}, 0))
                as decimal(18, 0)
            ) * {{ '0.' ~ '0' * (decimals - 1) ~ '1' }} as decimal(18, {{ decimals }})
        )
    {%- endif -%}
{%- endmacro -%}
