{%- macro model_rows(model) -%}
    {%- set rows = [] -%}
    {%- for row in run_query(model_texts_sql(model, column_texts(model))).rows -%}
        {%- do rows.append(row.values() | list) -%}
    {%- endfor -%}
    {%- do log(tojson(rows), info=true) -%}
{%- endmacro -%}
