{# Longest time span over which one event can affect another's results, in seconds. #}
{%- macro reach_secs() -%}
    {{ return([var('max_gap_secs'), var('inactivity_timeout_secs')] | max) }}
{%- endmacro -%}
