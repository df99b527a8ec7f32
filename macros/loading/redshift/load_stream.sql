{#
    A message's partition and offset are stored as its file and row. raw.loaded_files keeps how far each partition has been
    read, so that the view can be dropped and created again.
#}
{%- macro load_stream() -%}
    {%- if target.type != 'redshift' or adapter.get_relation(target.database, 'raw', 'flyer_events_stream') is none -%}
        {{ exceptions.raise_compiler_error(
            "raw.flyer_events_stream does not exist in " ~ target.database ~ ": create it with create_stream, on Redshift"
        ) }}
    {%- endif -%}
    {%- do create_raw_tables() -%}
    {%- set loaded_at = begin_load() -%}
    {%- do run_query('drop table if exists load_messages') -%}
    {%- do run_query(new_messages_sql()) -%}
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

{#
    The new messages, each as text and with the reason why it cannot be parsed, if so. A message that is too long or is not
    UTF-8 is kept as the hexadecimal digits of its beginning. chr(92) is a backslash: a text with an escaped NUL byte cannot
    be stored.
#}
{%- macro new_messages_sql() -%}
    {%- set loaded_files = adapter.quote('raw') ~ '.loaded_files' -%}
    create temporary table load_messages as
    with
    positions as (
        select file, max(fingerprint) as fingerprint from {{ loaded_files }} group by file
    ),
    messages as (
        select
            stream._source_file,
            stream._source_row,
            stream._source_file || '@' || stream.stream_position as fingerprint,
            stream.message,
            octet_length(stream.message) as bytes,
            is_utf8(stream.message) as is_text
        from {{ adapter.quote('raw') }}.flyer_events_stream as stream
        left join positions on stream._source_file = positions.file
        where stream._source_file || '@' || stream.stream_position > coalesce(positions.fingerprint, '')
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
        _source_file,
        _source_row,
        fingerprint,
        line,
        case
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
    insert into {{ adapter.quote('raw') }}.loaded_files (file, fingerprint, rows_loaded, lines_rejected, _loaded_at)
    select _source_file, max(fingerprint), count(*) - count(reason), count(reason), cast('{{ loaded_at }}' as timestamp)
    from load_messages
    group by _source_file
{%- endmacro -%}
