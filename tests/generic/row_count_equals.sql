{# The two row counts, if they differ. Both relations have the columns by which the rows of an increment are found. #}
{% test row_count_equals(model, other) %}

    select
        counts.n,
        others.n as n_of_other
    from (select count(*) as n from {{ model }}) as counts
    cross join (select count(*) as n from {{ get_where_subquery(other) }}) as others
    where counts.n <> others.n

{% endtest %}
