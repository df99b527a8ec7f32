{#
    A message's partition and offset are stored as its file and row. raw.loaded_files keeps how far each partition has been
    read, so that the view can be dropped and created again, and when Redshift had read the last message. Redshift adds to the
    view in one refresh after the other, so what is new has that time at least, but for an hour that clocks may differ. Of these
    messages, and of those that a new view reads again, the position tells which are new.
#}
{%- macro load_stream() -%}
    {%- set stream = adapter.get_relation(target.database, 'raw', 'flyer_events_stream') if target.type == 'redshift' -%}
    {%- if not stream -%}
        {{ exceptions.raise_compiler_error(
            "raw.flyer_events_stream does not exist in " ~ target.database ~ ": create it with create_stream, on Redshift"
        ) }}
    {%- elif 'refresh_time' not in adapter.get_columns_in_relation(stream) | map(attribute='name') -%}
        {{ exceptions.raise_compiler_error(
            'raw.flyer_events_stream was created by an earlier version. To replace it, drop materialized view'
            ~ ' "raw".flyer_events_stream and run create_stream with is_new_topic: false. It then reads the stream from the'
            ~ ' beginning, and each message is still loaded once.'
        ) }}
    {%- endif -%}
    {%- do create_raw_tables() -%}
    {%- set loaded_at = begin_load() -%}
    {%- set read_at = run_query(last_read_sql()).columns[0].values() | first -%}
    {%- do require_no_new_topic(run_query(partitions_begun_anew_sql(read_at)).rows) -%}
    {%- do run_query('drop table if exists load_messages') -%}
    {%- do run_query(new_messages_sql(read_at)) -%}
    {%- do run_query(insert_message_rows_sql(loaded_at)) -%}
    {%- do run_query(insert_rejected_messages_sql(loaded_at)) -%}
    {%- do run_query(insert_loaded_partitions_sql(loaded_at)) -%}
    {%- set counts = run_query('select count(*) - count(reason), count(reason) from load_messages').rows[0] -%}
    {%- do run_query('commit') -%}
    {%- do log(
        "Loaded " ~ counts[0] ~ " rows from the stream"
        ~ ("; " ~ counts[1] ~ " messages could not be parsed, see raw.rejected_lines" if counts[1] else ""),
        info=true
    ) -%}
{%- endmacro -%}

{%- macro last_read_sql() -%}
    select cast({{ dateadd('hour', -1, "coalesce(max(modified_at), cast('1900-01-01' as timestamp))") }} as varchar(30))
    from {{ adapter.quote('raw') }}.loaded_files
{%- endmacro -%}

{%- macro positions_sql() -%}
    select file, max(fingerprint) as fingerprint, max(modified_at) as read_at
    from {{ adapter.quote('raw') }}.loaded_files
    group by file
{%- endmacro -%}

{#
    Partitions whose positions begin anew, since messages up to the loaded position would never be loaded. Either the newest
    message that Redshift has read lies before it, or one that Redshift read later, into the same view, does.
#}
{%- macro partitions_begun_anew_sql(read_at) -%}
    with
    positions as (
        {{ positions_sql() }}
    ),
    partitions as (
        select
            positions.file,
            positions.fingerprint as loaded,
            positions.file || '@' || max(stream.stream_position) as newest,
            case
                when min(stream.refresh_time) <= positions.read_at
                    then positions.file || '@' || min(
                        case when stream.refresh_time > positions.read_at then stream.stream_position end
                    )
            end as first_later
        from {{ adapter.quote('raw') }}.flyer_events_stream as stream
        inner join positions on stream._source_file = positions.file
        where stream.refresh_time >= cast('{{ read_at }}' as timestamp)
        group by positions.file, positions.fingerprint, positions.read_at
    )
    select
        file,
        ltrim(substring(coalesce(first_later, newest), length(file) + 2), '0') as position,
        ltrim(substring(loaded, length(file) + 2), '0') as loaded_position
    from partitions
    where newest < loaded or first_later <= loaded
    order by file
{%- endmacro -%}

{%- macro require_no_new_topic(partitions) -%}
    {%- if partitions -%}
        {%- do run_query('rollback') -%}
        {{ exceptions.raise_compiler_error(
            "Redshift has read position " ~ (partitions[0][1] or 0) ~ " of " ~ partitions[0][0] ~ ", but messages up to "
            ~ (partitions[0][2] or 0) ~ " are loaded. Nothing was loaded. If the view was created again, wait until it has"
            ~ ' caught up. If the stream or topic was created again, drop materialized view "raw".flyer_events_stream and run'
            ~ ' create_stream with is_new_topic: true'
        ) }}
    {%- endif -%}
{%- endmacro -%}

{#
    The new messages, each as text and with the reason why it cannot be parsed, if so. A message that is too long or is not
    UTF-8 is kept as the hexadecimal digits of its beginning. chr(92) is a backslash: a text with an escaped NUL byte cannot
    be stored. Records that the Kinesis Producer Library has put together begin with the bytes F3 89 9A C2.
#}
{%- macro new_messages_sql(read_at) -%}
    create temporary table load_messages as
    with
    positions as (
        {{ positions_sql() }}
    ),
    messages as (
        select
            stream.refresh_time,
            stream._source_file,
            stream._source_row,
            stream._source_file || '@' || stream.stream_position as fingerprint,
            stream.message,
            octet_length(stream.message) as bytes,
            is_utf8(stream.message) as is_text
        from {{ adapter.quote('raw') }}.flyer_events_stream as stream
        left join positions on stream._source_file = positions.file
        where
            stream.refresh_time >= cast('{{ read_at }}' as timestamp)
            and stream._source_file || '@' || stream.stream_position > coalesce(positions.fingerprint, '')
    ),
    lines as (
        select
            *,
            case
                when bytes <= 65535 and is_text then from_varbyte(message, 'utf-8')
                else from_varbyte(substring(message, 1, 32767), 'hex')
            end as line
        from messages
    )
    select
        refresh_time,
        _source_file,
        _source_row,
        fingerprint,
        line,
        case
            when not is_text and lower(line) like 'f3899ac2%' then 'aggregated_records'
            when bytes > 65535 then 'too_long'
            when not is_text then 'not_utf8'
            when position(chr(92) || 'u0000' in line) > 0 then 'nul_byte'
            when not can_json_parse(message) or left(ltrim(line, {{ blanks() }}), 1) <> '{' then 'not_a_json_object'
        end as reason
    from lines
{%- endmacro -%}

{%- macro insert_message_rows_sql(loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.flyer_events
    select
        {%- for column in event_columns() %}
        nullif(json_extract_path_text(line, '{{ column }}', true), ''),
        {%- endfor %}
        _source_file, _source_row, cast('{{ loaded_at }}' as timestamp)
    from load_messages
    where reason is null
{%- endmacro -%}

{%- macro insert_rejected_messages_sql(loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.rejected_lines
    select _source_file, _source_row, line, reason, cast('{{ loaded_at }}' as timestamp)
    from load_messages
    where reason is not null
{%- endmacro -%}

{%- macro insert_loaded_partitions_sql(loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.loaded_files
        (file, fingerprint, rows_loaded, lines_rejected, _loaded_at, modified_at)
    select
        _source_file, max(fingerprint), count(*) - count(reason), count(reason), cast('{{ loaded_at }}' as timestamp),
        max(refresh_time)
    from load_messages
    group by _source_file
{%- endmacro -%}
