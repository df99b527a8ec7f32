{%- macro same_action(one, other) -%}
    {{ one }}.event = {{ other }}.event
    and coalesce({{ one }}.flyer_id, '') = coalesce({{ other }}.flyer_id, '')
    and coalesce({{ one }}.merchant_id, '') = coalesce({{ other }}.merchant_id, '')
{%- endmacro -%}
