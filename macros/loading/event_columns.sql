{%- macro event_columns() -%}
    {%- set names = [] -%}
    {%- for name in graph.sources['source.flyer_analytics.raw.flyer_events'].columns if not name.startswith('_') -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro -%}
