{%- macro format_of(file) -%}
    {%- set ending = modules.re.search('[.](csv|json|jsonl|ndjson|parquet)([.]gz)?$', file | lower) -%}
    {%- if not ending or (ending[1] == 'parquet' and ending[2]) -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(ending[1] if ending[1] in ['csv', 'parquet'] else 'json') }}
{%- endmacro -%}
