{#
    The last load of which this model has all rows, as a literal so that the engine can leave out what it need not read.
    `column` is the model's own column of loads: it is ahead of build_state after a run that was interrupted.
#}
{%- macro processed_to(column) -%}
    {%- set own = run_query('select cast(max(' ~ column ~ ') as varchar(30)) from ' ~ this).columns[0].values() | first
        if execute -%}
    cast('{{ [own or '', completed_to() or '', '0001-01-01'] | max }}' as timestamp)
{%- endmacro -%}

{# The range that var recompute_dates names, as [first, last]; empty where it names none. #}
{%- macro dates_to_recompute() -%}
    {{ return(date_range(var('recompute_dates')) or []) }}
{%- endmacro -%}

{#
    SQL condition, whether a date is to be recomputed, or lies so many days at most beside one that is; `false` where
    none is.
#}
{%- macro is_to_recompute(date, days_beside=0) -%}
    {%- set dates = dates_to_recompute() -%}
    {%- if dates -%}
        {{ date }} between {{ dateadd('day', -days_beside, "cast('" ~ dates[0] ~ "' as date)") }}
        and {{ dateadd('day', days_beside, "cast('" ~ dates[1] ~ "' as date)") }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro -%}

{#
    SQL condition, whether a row is of one of the users' days that `days` lists; `date` and `user` are the columns to
    compare. Dates come first, by themselves: DuckDB then reads those alone, also where one of them lies far back, as that on
    which a long session began.
#}
{%- macro is_in_days(days, date='date', user='user_key') -%}
    (
        {{ date }} in (select date from {{ days }})
        and ({{ user }}, {{ date }}) in (select {{ user }}, date from {{ days }})
    )
{%- endmacro -%}

{# SQL condition, whether a row is of a date on which any user's day is listed; `date` is the column to compare. #}
{%- macro is_on_dates(days, date='date') -%}
    {{ date }} in (select date from {{ days }})
{%- endmacro -%}

{#
    Before an increment, in its transaction: takes out the rows that the model then makes again, those of a condition and
    those of the dates that are recomputed on purpose.
#}
{%- macro forget_rows(made_again) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where {{ made_again }} or {{ is_to_recompute('date') }}
    {%- endif -%}
{%- endmacro -%}

{# Before an increment, in its transaction: takes out the rows of the dates that are recomputed on purpose. #}
{%- macro forget_recomputed_dates() -%}
    {%- if is_incremental() and dates_to_recompute() -%}
        delete from {{ this }} where {{ is_to_recompute('date') }}
    {%- endif -%}
{%- endmacro -%}

{# The longest time over which one event changes what is worked out of another one, in seconds. #}
{%- macro reach_secs() -%}
    {{ return([var('max_gap_secs'), var('inactivity_timeout_secs')] | max) }}
{%- endmacro -%}

{# How many dates away that can be, either way: a local day has 23 hours at least. #}
{%- macro days_in_reach() -%}
    {{ return([-1, 1] if reach_secs() <= 23 * 3600 else [-2, -1, 1, 2]) }}
{%- endmacro -%}
