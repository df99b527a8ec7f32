{#
    Timestamps become microseconds, since engines write their decimals differently. The text `null` equals null: dbt
    turns it into one when it loads a seed into Redshift, but not on DuckDB.
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
