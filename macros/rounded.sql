{#
    `total / count` as decimal(18, decimals), halves up. Rounding the quotient itself would lose halves: 23 / 40 is 0.575,
    which no double holds, and rounds to 0.57. This way a half is a whole number before it is divided.
#}
{%- macro rounded(total, count=1, decimals=2) -%}
    cast(
        cast(
            floor(cast({{ 2 * 10 ** decimals }} * {{ total }} + {{ count }} as double precision) / (2 * {{ count }}))
            as decimal(18, 0)
        ) * {{ '0.' ~ '0' * (decimals - 1) ~ '1' }} as decimal(18, {{ decimals }})
    )
{%- endmacro -%}
