{#
    dbt run-operation create_stream --args '{source: kinesis, name: flyer-events}'
    dbt run-operation create_stream --args '{source: msk, name: flyer-events, cluster_arn: "arn:aws:kafka:..."}'

    Makes raw.flyer_events_stream, a materialized view that Redshift itself keeps filled from a stream. It holds messages
    as they came: parsing them there, one bad message would stop the stream. `load_stream` reads it.
#}
{%- macro create_stream(source, name, cluster_arn=none) -%}
    {%- if source not in ['kinesis', 'msk'] or (source == 'msk') != (cluster_arn is not none) -%}
        {{ exceptions.raise_compiler_error(
            "create_stream takes source kinesis, or source msk with the cluster_arn of the cluster; it got source "
            ~ source ~ " and cluster_arn " ~ cluster_arn
        ) }}
    {%- endif -%}
    {%- if adapter.get_relation(target.database, 'raw', 'flyer_events_stream') is not none -%}
        {%- do log("raw.flyer_events_stream is there, nothing to do; drop it to make it anew", info=true) -%}
    {%- else -%}
        {%- do create_raw_tables() -%}
        {#- external things are made outside of transactions, one by one #}
        {%- do run_query('commit') -%}
        {%- do run_query(create_stream_schema_sql(source, cluster_arn)) -%}
        {%- do run_query(create_stream_view_sql(source, name)) -%}
        {%- do log("raw.flyer_events_stream follows " ~ name ~ "; load_stream reads it", info=true) -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro create_stream_schema_sql(source, cluster_arn=none) -%}
    create external schema if not exists flyer_stream
    from {{ source }}
    iam_role {{ iam_role() }}
    {%- if source == 'msk' %}
    authentication iam
    cluster_arn {{ sql_text(cluster_arn) }}
    {%- endif -%}
{%- endmacro -%}

{#
    A position is text, as that of Kinesis is longer than any number, and of one length, so that it can be compared. Only
    Kafka's serves as a row's place in its file.
#}
{%- macro create_stream_view_sql(source, name) -%}
    {%- set partition, position, message, row = {
        'kinesis': ('trim(shard_id)', 'trim(sequence_number)', 'kinesis_data', 'cast(null as bigint)'),
        'msk': ('cast(kafka_partition as varchar(20))', 'cast(kafka_offset as varchar(20))', 'kafka_value', 'kafka_offset'),
    }[source] -%}
    create materialized view {{ adapter.quote('raw') }}.flyer_events_stream auto refresh yes as
    select
        {{ sql_text(name ~ '/') }} || {{ partition }} as _source_file,
        {{ row }} as _source_row,
        lpad({{ position }}, 128, '0') as stream_position,
        {{ message }} as message
    from flyer_stream.{{ adapter.quote(name) }}
{%- endmacro -%}
