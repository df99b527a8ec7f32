{%- macro export_events(path, dates='') -%}
    {%- set range = date_range(dates) -%}
    {%- if target.type != 'redshift' -%}
        {{ exceptions.raise_compiler_error(
            "export_events unloads from Redshift, and target " ~ target.name ~ " is " ~ target.type
            ~ ". From DuckDB, export with: python -m flyer_analytics.export FOLDER"
        ) }}
    {%- elif path is not string or not path.startswith('s3://') -%}
        {{ exceptions.raise_compiler_error(
            "export_events needs a path s3://bucket/folder, since Redshift writes to S3; got " ~ path | tojson
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
        {%- set folder = path.rstrip('/') ~ '/' ~ name -%}
        {%- do run_query(unload_sql(relation, condition, folder)) -%}
        {%- set rows = run_query('select pg_last_unload_count()').columns[0].values() | first -%}
        {%- do log(folder ~ ": " ~ rows ~ " rows", info=true) -%}
    {%- endfor -%}
{%- endmacro -%}

{%- macro unload_sql(relation, condition, folder) -%}
    unload ({{ sql_text('select * from ' ~ relation ~ ' where ' ~ condition) }})
    to {{ sql_text(folder ~ '/') }}
    iam_role {{ iam_role() }}
    format as parquet
    partition by (date)
    cleanpath
{%- endmacro -%}
