{#
    A model's line is logged after its query, so that an error of the database is of the first model without a line.
    The query also reads each late-binding view, whose errors show only when it is read.
#}
{%- macro model_checksums(models) -%}
    {%- for name in models -%}
        {%- set texts = column_texts(name) -%}
        {%- set sums = run_query(model_checksums_sql(name, texts)).rows[0] -%}
        {%- set columns = {} -%}
        {%- for column in texts -%}
            {%- do columns.update({column: [sums[2 * loop.index] | int, sums[2 * loop.index + 1] | int]}) -%}
        {%- endfor -%}
        {%- do log(tojson({'rows': sums[0] | int, 'checksum': sums[1] | int, 'columns': columns}), info=true) -%}
    {%- endfor -%}
{%- endmacro -%}

{# Of each column the number of values and the sum of their checksums. That of rows finds values in the wrong row. #}
{%- macro model_checksums_sql(name, texts) -%}
    {%- set row = [] -%}
    {%- for column in texts -%}{%- do row.append("coalesce(md5(" ~ adapter.quote(column) ~ "), '-')") -%}{%- endfor -%}
    select
        count(*) as number_of_rows,
        coalesce(sum({{ text_checksum(row | join(' || ')) }}), 0) as checksum_of_rows
        {%- for column in texts %},
        count({{ adapter.quote(column) }}) as values_{{ loop.index }},
        coalesce(sum({{ text_checksum(adapter.quote(column)) }}), 0) as checksum_{{ loop.index }}
        {%- endfor %}
    from (
        {{ model_texts_sql(name, texts) }}
    ) as texts
{%- endmacro -%}
