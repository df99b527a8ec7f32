{#
    The date is compared by itself first, so that the engine reads the blocks of the listed dates only. Conditions on the
    date alone get literals: a subquery would not reach the tables through the joins of int_flyer_events_in_views.
#}
{%- macro is_listed(days, is_increment, columns=['user_key', 'date'], recomputed=false) -%}
    {%- set listed = days ~ (' where is_recomputed' if recomputed else '') -%}
    {%- if not is_increment -%}
        true
    {%- elif columns | length == 1 -%}
        {%- set dates = run_query('select distinct date from ' ~ listed ~ ' order by date').columns[0].values() -%}
        {%- if dates -%}
        {{ columns[0] }} in (
            {%- for date in dates %}cast('{{ date }}' as date){{ ', ' if not loop.last }}{% endfor -%}
        )
        {%- else -%}
        false
        {%- endif -%}
    {%- else -%}
        {{ columns[-1] }} in (select date from {{ listed }})
        and ({{ columns | join(', ') }}) in (
            select
                {{ columns[0] }},
                date
            from {{ listed }}
        )
    {%- endif -%}
{%- endmacro -%}
