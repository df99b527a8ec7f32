{#
    The number that stands for an id. Where it has none the cast fails and says so, as the model that numbers ids has not
    seen all loads: a row that was dropped instead would be missing for good.
#}
{%- macro require_key(key, id) -%}
    case
        when {{ key }} is not null then {{ key }}
        else cast({{ id }} || ' has no number yet: run all models, as in dbt build' as integer)
    end
{%- endmacro -%}
