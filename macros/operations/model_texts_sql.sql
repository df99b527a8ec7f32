{%- macro model_texts_sql(model, texts) -%}
    select
        {%- for column, text in texts.items() %}
        {{ text }} as {{ adapter.quote(column) }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation_of(model) }}
{%- endmacro -%}
