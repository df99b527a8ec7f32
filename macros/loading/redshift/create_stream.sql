{#
    Only who deletes a topic knows that its positions begin anew: those of the new topic can be beyond the old ones by the
    first load. So whoever creates the view again has to say.
#}
{%- macro create_stream(source, name, cluster_arn=none, is_new_topic=none) -%}
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
        {%- if run_query(loaded_partitions_sql(name)).rows and is_new_topic is none -%}
            {{ exceptions.raise_compiler_error(
                "Messages of " ~ name ~ " are loaded already. Add is_new_topic: false to load what follows them, or"
                ~ " is_new_topic: true if the stream or topic was deleted and created again, so that its positions begin anew"
            ) }}
        {%- endif -%}
        {%- if is_new_topic -%}
            {%- do begin_load() -%}
            {%- do run_query(forget_positions_sql(name)) -%}
        {%- endif -%}
        {#- an external schema and what reads it are created outside of transactions #}
        {%- do run_query('commit') -%}
        {%- do run_query(create_stream_schema_sql(source, cluster_arn)) -%}
        {%- do run_query(create_stream_view_sql(source, name)) -%}
        {%- do log("Created raw.flyer_events_stream, which follows " ~ name ~ "; load_stream reads it", info=true) -%}
    {%- endif -%}
{%- endmacro -%}

{# The rows of raw.loaded_files that say how far a partition is loaded. #}
{%- macro loaded_partitions_sql(name) -%}
    select file from {{ adapter.quote('raw') }}.loaded_files where {{ is_partition_sql(name) }} limit 1
{%- endmacro -%}

{%- macro is_partition_sql(name) -%}
    left(file, {{ name | length + 1 }}) = {{ sql_text(name ~ '/') }} and left(fingerprint, length(file) + 1) = file || '@'
{%- endmacro -%}

{# Positions of an earlier topic keep their rows, under another name. #}
{%- macro forget_positions_sql(name) -%}
    update {{ adapter.quote('raw') }}.loaded_files
    set file = file || ' before ' || cast(getdate() as varchar(30)),
        fingerprint = fingerprint || ' before ' || cast(getdate() as varchar(30)),
        modified_at = null
    where {{ is_partition_sql(name) }}
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
