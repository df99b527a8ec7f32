{#
    Redshift writes rows between two steps of a query in the declared width of their columns, and raw texts are declared as wide
    as texts can be. What is cut here has more characters than an id may have, of up to four bytes each.
#}
{%- macro bounded(text) -%}
    cast({{ text }} as varchar({{ 4 * (longest_id() | int + 1) }}))
{%- endmacro -%}
