{#
    Starts a load: waits until no other load is running, and returns the new load's timestamp, which is later than that
    of any earlier load, since increments recognize new rows by it.

    The lock is taken in a new transaction: one that had read the tables before would not see what the last load wrote.
#}
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
