{#
    COPY reads everything under a prefix or in a manifest, and does not say which file a row came from. So
    flyer_analytics/load/s3.py lists S3, leaves out the files that are loaded, and writes one manifest for all files of the
    same shape.
#}
{%- macro load_events(path=none, copies=none, keeps_rejected=false) -%}
    {%- if copies is none or target.type != 'redshift' -%}
        {{ exceptions.raise_compiler_error(
            "load_events is called by another program. Load with: python -m flyer_analytics.load " ~ (path or 'PATH')
        ) }}
    {%- endif -%}
    {%- do create_raw_tables() -%}
    {%- set loaded_at = begin_load() -%}
    {%- for file in loaded_files_among(copies | map(attribute='files') | sum(start=[])) -%}
        {{ exceptions.raise_compiler_error(
            "Another load has loaded " ~ file.file ~ " in the meantime; this load has loaded nothing. Run it again."
        ) }}
    {%- endfor -%}
    {%- set total = namespace(rows=0) -%}

    {%- for copy in copies -%}
        {%- do run_query('drop table if exists load_copy') -%}
        {%- do run_query(copy_table_sql(copy)) -%}
        {%- do run_query(copy_sql(copy)) -%}
        {%- set copy_id = run_query('select pg_last_copy_id()').columns[0].values() | first -%}
        {%- set rows = run_query('select count(*) from load_copy').columns[0].values() | first | int -%}
        {%- do run_query(insert_copied_sql(copy, loaded_at)) -%}
        {%- do run_query(insert_rejected_sql(copy_id, loaded_at)) -%}
        {%- do copy.update({'rows': rows, 'unnamed': 0 if copy.format == 'parquet' else unnamed_rejections(copy_id)}) -%}
        {%- if copy.unnamed is none or copy.unnamed -%}{%- do run_query(insert_unnamed_sql(copy, loaded_at)) -%}{%- endif -%}
        {%- set total.rows = total.rows + rows -%}
    {%- endfor -%}

    {%- set rejections = [] -%}
    {%- for copy in copies if copy.unnamed -%}
        {%- do rejections.append(
            {'file': copy.source, 'reason': 'of which Redshift keeps no error', 'lines': copy.unnamed, 'line_number': none}
        ) -%}
    {%- endfor -%}
    {%- set rejected_by_file = {} -%}
    {%- for row in run_query(rejections_sql(loaded_at)).rows -%}
        {%- do rejections.append(
            {'file': row[0], 'reason': row[1], 'lines': row[2] | int, 'line_number': row[3] | int}
        ) -%}
        {%- do rejected_by_file.update({row[0]: rejected_by_file.get(row[0], 0) + row[2] | int}) -%}
    {%- endfor -%}
    {%- for copy in copies -%}
        {#- a statement may have 16 MB, and a name in S3 a kilobyte -#}
        {%- for files in copy.files | batch(1000) -%}
            {%- do run_query(insert_loaded_files_sql(copy, files, rejected_by_file, loaded_at)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {#- the program reports a load without a usable line as an error, so nothing may be left of it -#}
    {%- do run_query('rollback' if rejections and not total.rows and not keeps_rejected else 'commit') -%}
    {%- do log(
        tojson({
            'rows': total.rows,
            'rejections': rejections,
            'rejected_by_file': rejected_by_file,
            'uncounted': copies | selectattr('unnamed', 'none') | map(attribute='source') | list,
        }),
        info=true
    ) -%}
{%- endmacro -%}

{#
    Compressed, which a temporary table is not by itself: what is copied is written twice. For Parquet, COPY has no type for a
    timestamp with a time zone, and reads it as one in UTC.
#}
{%- macro copy_table_sql(copy) -%}
    create temporary table load_copy (
        {%- for name, type in copy.columns %}
        {{ adapter.quote(name) }} {{ 'timestamp' if type == 'timestamptz' else type }} encode zstd{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro -%}

{# For Parquet COPY has few options, and fails at the first value that it cannot read. #}
{%- macro copy_sql(copy) -%}
    copy load_copy
    {%- if copy.format != 'parquet' %} (
        {%- for name, _ in copy.columns %}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%}
    ) {%- endif %}
    from {{ sql_text(copy.manifest) }}
    iam_role {{ iam_role() }}
    {%- if copy.format == 'csv' %}
    format as csv delimiter {{ sql_text(copy.delimiter) }} ignoreheader 1 ignoreblanklines emptyasnull
    {%- elif copy.format == 'json' %}
    format as json 'auto ignorecase'
    {%- else %}
    format as parquet
    {%- endif %}
    {{ {'gz': 'gzip', 'zst': 'zstd'}.get(copy.compression, '') }}
    manifest
    {{ 'maxerror 100000 compupdate off' if copy.format != 'parquet' }}
    statupdate off
{%- endmacro -%}

{# COPY does not tell a row's number in its file. #}
{%- macro insert_copied_sql(copy, loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.flyer_events
    select
        {%- for column in event_columns() %}
        cast({{ adapter.quote(column) }} as varchar(65535)){{ " || 'Z'" if [column, 'timestamptz'] in copy.columns }},
        {%- endfor %}
        {{ sql_text(copy.source) }}, cast(null as bigint), cast('{{ loaded_at }}' as timestamp)
    from load_copy
{%- endmacro -%}

{# Redshift reports a bad line's number and what is wrong with it, but not the line itself. #}
{%- macro insert_rejected_sql(copy_id, loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.rejected_lines
    select trim(file_name), line_number, cast(null as varchar(1)), trim(error_message), cast('{{ loaded_at }}' as timestamp)
    from sys_load_error_detail
    where query_id = {{ copy_id }}
{%- endmacro -%}

{# In its log of errors, Redshift cuts a file's name after 256 bytes. #}
{%- macro logged_name(file) -%}
    {{ return(file.encode()[:256].decode('utf-8', 'ignore')) }}
{%- endmacro -%}

{#
    How many more lines COPY rejected, since Redshift keeps 20 errors a slice at most. None if its log, which is written
    beside the transaction, does not say.
#}
{%- macro unnamed_rejections(copy_id) -%}
    {%- set unnamed = run_query(
        'select max(error_count) - (select count(*) from sys_load_error_detail where query_id = ' ~ copy_id
        ~ ") from sys_load_history where status = 'completed' and query_id = " ~ copy_id
    ).columns[0].values() | first -%}
    {{ return(unnamed if unnamed is none else unnamed | int) }}
{%- endmacro -%}

{%- macro insert_unnamed_sql(copy, loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.rejected_lines values (
        {{ sql_text(copy.source) }}, null, null,
        {%- if copy.unnamed is none %}
        'perhaps further lines: sys_load_history does not have this COPY',
        {%- else %}
        'and {{ copy.unnamed }} further lines, of which Redshift keeps no error',
        {%- endif %}
        cast('{{ loaded_at }}' as timestamp)
    )
{%- endmacro -%}

{%- macro rejections_sql(loaded_at) -%}
    select file, reason, count(*), min(line_number) from {{ adapter.quote('raw') }}.rejected_lines
    where _loaded_at = cast('{{ loaded_at }}' as timestamp) and line_number is not null
    group by file, reason
    order by count(*) desc, file, reason
{%- endmacro -%}

{# If a COPY reads several files, the number of rows of each is not known. #}
{%- macro insert_loaded_files_sql(copy, files, rejected_by_file, loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.loaded_files (file, fingerprint, rows_loaded, lines_rejected, _loaded_at) values
    {%- for file in files %}
        (
            {{ sql_text(file.file) }}, {{ sql_text(file.fingerprint) }},
            {{ copy.rows if copy.files | length == 1 else 'null' }},
            {{ rejected_by_file.get(logged_name(file.file), 0) + (copy.unnamed or 0 if copy.files | length == 1 else 0) }},
            '{{ loaded_at }}'
        ){{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
