{# The two row counts, if they differ. #}
{% test row_count_equals(model, other) %}

    select
        counts.n,
        others.n as n_of_other
    from (select count(*) as n from {{ model }}) as counts
    cross join (select count(*) as n from {{ other }}) as others
    where counts.n <> others.n

{% endtest %}
