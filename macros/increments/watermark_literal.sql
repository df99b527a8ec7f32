{# A literal, so that the engine can skip older rows. In the beginning there was no load. #}
{%- macro watermark_literal(query) -%}
    {%- set found = run_query('select cast(max(watermark) as varchar(30)) from (' ~ query ~ ') as watermarks') if execute -%}
    cast('{{ found.columns[0].values() | first if found else none or '0001-01-01' }}' as timestamp)
{%- endmacro -%}
