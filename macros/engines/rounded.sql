{#
    `total / count` as decimal(18, decimals), halves up. Rounding the quotient itself would lose halves: 23 / 40 is 0.575,
    which no double holds, and rounds to 0.57. This way a half is a whole number before it is divided. A total by itself
    is a decimal, which keeps its halves.
#}
{%- macro rounded(total, count=none, decimals=2) -%}
    {%- if count is none -%}
        cast(round({{ total }}, {{ decimals }}) as decimal(18, {{ decimals }}))
    {%- else -%}
        cast(
            cast(
                floor(cast({{ 2 * 10 ** decimals }} * {{ total }} + {{ count }} as double precision) / (2 * {{ count }}))
                as decimal(18, 0)
            ) * {{ '0.' ~ '0' * (decimals - 1) ~ '1' }} as decimal(18, {{ decimals }})
        )
    {%- endif -%}
{%- endmacro -%}
