{# The sample may replace tables that hold nothing but the sample: those of an earlier check. #}
{%- macro require_no_events() -%}
    {%- do create_raw_tables() -%}
    {%- set found = [] -%}
    {%- if events_read() == 'loaded' -%}
        {%- do found.append('raw.flyer_events has rows') -%}
    {%- endif -%}
    {%- set events = relation_of('stg_flyer_app__events_keyed') -%}
    {%- if adapter.get_relation(events.database, events.schema, events.identifier) is not none -%}
        {%- set sample = graph.nodes['seed.flyer_analytics.sample_flyer_events'] -%}
        {%- set sample_is_there = adapter.get_relation(sample.database, sample.schema, sample.alias) is not none -%}
        {%- set loads = 'select _loaded_at from ' ~ events -%}
        {%- if sample_is_there -%}
            {%- set seed = adapter.quote(sample.schema) ~ '.' ~ sample.alias -%}
            {%- set loads = loads ~ ' except select _loaded_at from ' ~ seed -%}
        {%- endif -%}
        {%- if run_query(loads ~ ' limit 1').rows -%}
            {%- do found.append(events.schema ~ '.' ~ events.identifier ~ ' has events of loads') -%}
        {%- endif -%}
    {%- endif -%}
    {%- if found -%}
        {{ exceptions.raise_compiler_error(
            "Database " ~ target.database ~ " has loaded events (" ~ found | join(', ') ~ "), which the sample must not"
            ~ " replace. Nothing was changed. Check in a database of its own: `create database flyer_check`, then set"
            ~ " FLYER_REDSHIFT_DATABASE=flyer_check"
        ) }}
    {%- endif -%}
{%- endmacro -%}
