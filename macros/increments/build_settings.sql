{%- macro build_settings() -%}
    {%- set settings = {
        'layout': 5,
        'event_types': graph.nodes['seed.flyer_analytics.event_types'].checksum.checksum,
    } -%}
    {%- for name in settings_vars() -%}
        {%- do settings.update({name: var(name) if var(name) is integer else var(name) | string}) -%}
    {%- endfor -%}
    {{ return(settings) }}
{%- endmacro -%}
