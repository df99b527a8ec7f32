{%- macro events_read() -%}
    {%- if query_once('select 1 from ' ~ adapter.quote('raw') ~ '.flyer_events limit 1') -%}
        {{ return('loaded') }}
    {%- endif -%}
    {{ return('sample ' ~ graph.nodes['seed.flyer_analytics.sample_flyer_events'].checksum.checksum) }}
{%- endmacro -%}
