{#
    `total / count` seconds as decimal(18, 2), halves up. Rounding the quotient itself would lose halves: 23 / 40 is
    0.575, which no double holds, and rounds to 0.57. This way a half is a whole number before it is divided.
#}
{%- macro rounded_secs(total, count=1) -%}
    cast(
        cast(
            floor(cast(200 * {{ total }} + {{ count }} as double precision) / (2 * {{ count }})) as decimal(18, 0)
        ) * 0.01 as decimal(18, 2)
    )
{%- endmacro -%}
