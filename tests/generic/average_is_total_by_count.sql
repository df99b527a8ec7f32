{#
    Rows in which an average is not its total divided by its count. Both are rounded to cents, so a difference of up to
    one cent is allowed. Where the count is 0, both must be null; elsewhere neither.
#}
{% test average_is_total_by_count(model, average, total, count) %}

    select *
    from {{ model }}
    where
        ({{ count }} = 0 and ({{ average }} is not null or {{ total }} is not null))
        or ({{ count }} > 0 and ({{ average }} is null or {{ total }} is null))
        or abs({{ average }} - cast({{ total }} as double precision) / nullif({{ count }}, 0)) > 0.0101

{% endtest %}
