{#
    Rows in which a published average is not its total over its count. Both are rounded to cents, so they may differ by
    one cent at most; where nothing was counted both are null, elsewhere neither is.
#}
{% test average_is_total_by_count(model, average, total, count) %}

    select *
    from {{ model }}
    where
        ({{ count }} = 0 and ({{ average }} is not null or {{ total }} is not null))
        or ({{ count }} > 0 and ({{ average }} is null or {{ total }} is null))
        or abs({{ average }} - cast({{ total }} as double precision) / nullif({{ count }}, 0)) > 0.0101

{% endtest %}
