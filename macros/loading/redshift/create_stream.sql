{%- macro create_stream(source, name, cluster_arn=none) -%}
    {%- if source not in ['kinesis', 'msk'] or (source == 'msk') != (cluster_arn is not none) -%}
        {{ exceptions.raise_compiler_error(
            "create_stream needs source kinesis, or source msk with a cluster_arn; got source " ~ source
            ~ " and cluster_arn " ~ cluster_arn
        ) }}
    {%- endif -%}
    {%- if adapter.get_relation(target.database, 'raw', 'flyer_events_stream') is not none -%}
        {%- do log("raw.flyer_events_stream exists already; drop it to create it again", info=true) -%}
    {%- else -%}
        {%- do create_raw_tables() -%}
        {#- an external schema and what reads it are created outside of transactions #}
        {%- do run_query('commit') -%}
        {%- do run_query(create_stream_schema_sql(source, cluster_arn)) -%}
        {%- do run_query(create_stream_view_sql(source, name)) -%}
        {%- do log("Created raw.flyer_events_stream, which follows " ~ name ~ "; load_stream reads it", info=true) -%}
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
    The view holds messages as they arrive: if it parsed them, one bad message would stop the stream. It is sorted by the time
    when Redshift read them, so that load_stream reads the new ones only.

    A position is text, since positions of Kinesis exceed every number type, and padded so that positions can be compared.
    Only an offset of Kafka can be stored as a row number.
#}
{%- macro create_stream_view_sql(source, name) -%}
    {%- set partition, position, message, row = {
        'kinesis': ('trim(shard_id)', 'trim(sequence_number)', 'kinesis_data', 'cast(null as bigint)'),
        'msk': ('cast(kafka_partition as varchar(20))', 'cast(kafka_offset as varchar(20))', 'kafka_value', 'kafka_offset'),
    }[source] -%}
    create materialized view {{ adapter.quote('raw') }}.flyer_events_stream sortkey (refresh_time) auto refresh yes as
    select
        refresh_time,
        {{ sql_text(name ~ '/') }} || {{ partition }} as _source_file,
        {{ row }} as _source_row,
        lpad({{ position }}, 128, '0') as stream_position,
        {{ message }} as message
    from flyer_stream.{{ adapter.quote(name) }}
{%- endmacro -%}
