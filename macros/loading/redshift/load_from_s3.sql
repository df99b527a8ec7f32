{#
    COPY reads everything under a prefix or in a manifest, and does not say which file a row came from. So
    flyer_analytics/load.py lists S3, leaves out the files that are loaded, and writes one manifest for all files of the
    same format and columns.
#}
{%- macro load_from_s3(path, copies) -%}
    {%- if copies is none -%}
        {{ exceptions.raise_compiler_error(
            "On Redshift, load with python -m flyer_analytics.load " ~ path ~ ": it lists S3, which SQL cannot do"
        ) }}
    {%- endif -%}
    {%- do create_raw_tables() -%}
    {%- set loaded_at = begin_load() -%}
    {%- for file in loaded_files_among(copies | sum(attribute='files', start=[])) -%}
        {{ exceptions.raise_compiler_error(
            "Another load has loaded " ~ file.file ~ " in the meantime; this load has loaded nothing. Run it again."
        ) }}
    {%- endfor -%}
    {%- set total = namespace(rows=0, rejected=0) -%}

    {%- for copy in copies -%}
        {%- do run_query('drop table if exists load_copy') -%}
        {%- do run_query(copy_table_sql(copy)) -%}
        {%- do run_query(copy_sql(copy)) -%}
        {%- set copy_id = run_query('select pg_last_copy_id()').columns[0].values() | first -%}
        {%- set rows = run_query('select count(*) from load_copy').columns[0].values() | first | int -%}
        {%- do run_query(insert_copied_sql(copy, loaded_at)) -%}
        {%- do run_query(insert_rejected_sql(copy_id, loaded_at)) -%}
        {%- set rejected = {} -%}
        {%- for row in run_query(count_rejected_sql(loaded_at)).rows -%}
            {%- do rejected.update({row[0]: row[1] | int}) -%}
        {%- endfor -%}
        {%- do run_query(insert_loaded_files_sql(copy, rows, rejected, loaded_at)) -%}
        {%- for file in copy.files -%}
            {%- do log(file.file ~ ": " ~ rejected.get(file.file, 0) ~ " rejected lines", info=true) -%}
            {%- set total.rejected = total.rejected + rejected.get(file.file, 0) -%}
        {%- endfor -%}
        {%- set total.rows = total.rows + rows -%}
    {%- endfor -%}
    {%- do run_query('commit') -%}

    {%- do log(
        "Loaded " ~ total.rows ~ " rows from " ~ copies | sum(attribute='files', start=[]) | length ~ " files"
        ~ ("; " ~ total.rejected ~ " lines could not be parsed, see raw.rejected_lines" if total.rejected else ""),
        info=true
    ) -%}
{%- endmacro -%}

{%- macro copy_table_sql(copy) -%}
    create temporary table load_copy (
        {%- for name, type in copy.columns %}{{ adapter.quote(name) }} {{ type }}{{ ', ' if not loop.last }}{% endfor -%}
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
    format as csv ignoreheader 1 ignoreblanklines emptyasnull
    {%- elif copy.format == 'json' %}
    format as json 'auto'
    {%- else %}
    format as parquet
    {%- endif %}
    {{ 'gzip' if copy.is_gzipped }}
    manifest
    {{ 'maxerror 100000 compupdate off' if copy.format != 'parquet' }}
    statupdate off
{%- endmacro -%}

{# COPY does not tell a row's number in its file. The floating-point id 2268.0 of a data frame is the id 2268. #}
{%- macro insert_copied_sql(copy, loaded_at) -%}
    {%- set types = dict(copy.columns) -%}
    insert into {{ adapter.quote('raw') }}.flyer_events
    select
        {%- for column in event_columns() %}
        {% if types[column] in ['real', 'double precision'] -%}
        regexp_replace(cast({{ adapter.quote(column) }} as varchar(100)), '[.]0$', ''),
        {%- else -%}
        cast({{ adapter.quote(column) }} as varchar(65535)),
        {%- endif %}
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

{%- macro count_rejected_sql(loaded_at) -%}
    select file, count(*) from {{ adapter.quote('raw') }}.rejected_lines
    where _loaded_at = cast('{{ loaded_at }}' as timestamp)
    group by file
{%- endmacro -%}

{# If a COPY reads several files, the number of rows of each is not known. #}
{%- macro insert_loaded_files_sql(copy, rows, rejected, loaded_at) -%}
    insert into {{ adapter.quote('raw') }}.loaded_files values
    {%- for file in copy.files %}
        (
            {{ sql_text(file.file) }}, {{ sql_text(file.fingerprint) }},
            {{ rows if copy.files | length == 1 else 'null' }}, {{ rejected.get(file.file, 0) }}, '{{ loaded_at }}'
        ){{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
