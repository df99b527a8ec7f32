{#
    Without a key the cast fails, and its message shows the text. A row dropped instead would be missing for good, since
    later increments do not read its load again.
#}
{%- macro require_key(key, id) -%}
    case
        when {{ key }} is not null then {{ key }}
        else cast({{ id }} || ' has no key yet: run all models, as dbt build does' as integer)
    end
{%- endmacro -%}
