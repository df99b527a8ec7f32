{# A literal and not a subquery, so that the engine can skip the blocks of older rows. #}
{%- macro watermark(staged=none, column='completed_to') -%}
    {%- set loads = 'select ' ~ column ~ ' as loaded_at from ' ~ build_state()
        ~ (' union all select max(_loaded_at) as loaded_at from ' ~ staged if staged else '') -%}
    {%- set last = run_query('select cast(max(loaded_at) as varchar(30)) from (' ~ loads ~ ') as loads') if execute -%}
    cast('{{ last.columns[0].values() | first if last else none or '0001-01-01' }}' as timestamp)
{%- endmacro -%}
