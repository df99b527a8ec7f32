{#
    Timestamps become microseconds, since engines write their decimals differently. `null` as a text equals null: it is one
    in a seed that dbt has loaded into Redshift, and remains a text on DuckDB.
#}
{%- macro column_texts(model) -%}
    {%- set texts = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation_of(model)) -%}
        {%- set value = adapter.quote(column.name) -%}
        {%- if 'timestamp' in column.dtype | lower -%}
            {%- set value = datediff("cast('1970-01-01' as timestamp)", value, 'microsecond') -%}
        {%- elif 'bool' in column.dtype | lower -%}
            {%- set value = "case when " ~ value ~ " then 'true' when not " ~ value ~ " then 'false' end" -%}
        {%- elif column.is_string() -%}
            {%- set value = "nullif(nullif(" ~ value ~ ", 'null'), 'NULL')" -%}
        {%- endif -%}
        {%- do texts.update({column.name: 'cast(' ~ value ~ ' as varchar(65535))'}) -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro -%}
