{# In a new transaction: one that has read the tables before would not see what the last load wrote. #}
{%- macro begin_load() -%}
    {%- set loaded_files = adapter.quote('raw') ~ '.loaded_files' -%}
    {%- call statement(auto_begin=true) -%}
        commit;
        begin;
        lock {{ loaded_files }}
    {%- endcall -%}
    {{ return(run_query(
        'select cast(greatest(getdate(), ' ~ dateadd('microsecond', 1, 'max(_loaded_at)') ~ ') as varchar(30)) from '
        ~ loaded_files
    ).columns[0].values() | first) }}
{%- endmacro -%}
