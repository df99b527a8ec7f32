{# Names of a lake's objects have the same length, and sort by their offsets. #}
{%- macro log_loaded(prefix) -%}
    {%- do create_raw_tables() -%}
    {%- set newest = run_query(
        'select max(file) from ' ~ adapter.quote('raw') ~ '.loaded_files where left(file, ' ~ prefix | length ~ ') = '
        ~ sql_text(prefix) ~ " and right(file, 9) = '.jsonl.gz' group by left(file, length(file) - 29)"
    ).columns[0].values() | list -%}
    {%- do log(tojson({'newest': newest, 'has_events': events_read() == 'loaded'}), info=true) -%}
{%- endmacro -%}
