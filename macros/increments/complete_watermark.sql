{# The last load of which every model has all rows, as an SQL literal. #}
{%- macro complete_watermark() -%}
    {{ watermark_literal('select completed_to as watermark from ' ~ build_state()) }}
{%- endmacro -%}

{# A literal, so that the engine can skip older rows. In the beginning there was no load. #}
{%- macro watermark_literal(query) -%}
    {%- set found = run_query('select cast(max(watermark) as varchar(30)) from (' ~ query ~ ') as watermarks') if execute -%}
    cast('{{ found.columns[0].values() | first if found else none or '0001-01-01' }}' as timestamp)
{%- endmacro -%}
