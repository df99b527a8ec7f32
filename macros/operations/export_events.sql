{%- macro export_events(path, dates='') -%}
    {%- set range = date_range(dates) -%}
    {%- if path is not string or not path | trim -%}
        {{ exceptions.raise_compiler_error("export_events needs a path as text; got " ~ path | tojson) }}
    {%- elif (target.type == 'redshift') != path.startswith('s3://') -%}
        {{ exceptions.raise_compiler_error(
            "export_events cannot write to '" ~ path ~ "': Redshift exports to s3://bucket/folder, DuckDB to a local folder"
        ) }}
    {%- elif range is none -%}
        {{ exceptions.raise_compiler_error(
            "export_events cannot read dates '" ~ dates ~ "': give one date, YYYY-MM-DD, or a first and a last one,"
            ~ " YYYY-MM-DD/YYYY-MM-DD"
        ) }}
    {%- endif -%}
    {%- for name in ['stg_flyer_app__events', 'int_flyer_views'] -%}
        {%- set relation = relation_of(name) -%}
        {%- if adapter.get_relation(relation.database, relation.schema, relation.identifier) is none -%}
            {{ exceptions.raise_compiler_error(relation ~ " does not exist: run dbt build first") }}
        {%- endif -%}
        {%- set condition = "date between '" ~ range[0] ~ "' and '" ~ range[1] ~ "'" if range else 'true' -%}
        {%- do export_relation(relation, condition, path.rstrip('/') ~ '/' ~ name) -%}
    {%- endfor -%}
{%- endmacro -%}

{%- macro export_relation(relation, condition, folder) -%}
    {{ return(adapter.dispatch('export_relation')(relation, condition, folder)) }}
{%- endmacro -%}

{#
    One COPY per date: DuckDB can empty the folder to which it writes, but not only the folders of some dates. It creates
    one level of folders at a time.
#}
{%- macro duckdb__export_relation(relation, condition, folder) -%}
    {%- for made in [folder.rsplit('/', 1)[0], folder] -%}
        {%- do run_query(
            "copy (select 1 as a, 1 as b where false) to " ~ sql_text(made)
            ~ " (format parquet, partition_by (b), overwrite_or_ignore true)"
        ) -%}
    {%- endfor -%}
    {%- set days = run_query(
        'select cast(date as varchar), count(*) from ' ~ relation ~ ' where ' ~ condition ~ ' group by date order by date'
    ).rows -%}
    {%- for day in days -%}
        {%- do run_query(
            "copy (select * exclude (date) from " ~ relation ~ " where date = '" ~ day[0] ~ "') to "
            ~ sql_text(folder ~ '/date=' ~ day[0]) ~ " (format parquet, file_size_bytes '256MB', overwrite true)"
        ) -%}
    {%- endfor -%}
    {%- do log(folder ~ ": " ~ days | map(attribute=1) | sum ~ " rows on " ~ days | length ~ " dates", info=true) -%}
{%- endmacro -%}

{%- macro redshift__export_relation(relation, condition, folder) -%}
    {%- do run_query(unload_sql(relation, condition, folder)) -%}
    {%- set rows = run_query('select pg_last_unload_count()').columns[0].values() | first -%}
    {%- do log(folder ~ ": " ~ rows ~ " rows", info=true) -%}
{%- endmacro -%}

{%- macro unload_sql(relation, condition, folder) -%}
    unload ({{ sql_text('select * from ' ~ relation ~ ' where ' ~ condition) }})
    to {{ sql_text(folder ~ '/') }}
    iam_role {{ iam_role() }}
    format as parquet
    partition by (date)
    cleanpath
{%- endmacro -%}
