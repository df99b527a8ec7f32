{#
    The dates are literals, since an engine skips the blocks of other dates only if it knows them before it reads: a
    subquery is a join, for which Redshift reads the whole table.
#}
{%- macro is_listed(days, is_increment, columns=['user_key', 'date'], recomputed=false, days_beside=0) -%}
    {%- set listed = days ~ (' where is_recomputed' if recomputed else '') -%}
    {%- if not is_increment -%}
        true
    {%- else -%}
        {%- set listed_dates = query_once('select distinct date from ' ~ listed) | map(attribute=0) if execute else [] -%}
        {%- set dates = [] -%}
        {%- for date in listed_dates -%}
            {%- for distance in range(-days_beside, days_beside + 1) -%}
                {%- do dates.append(date + modules.datetime.timedelta(distance)) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if dates -%}
        {{ columns[-1] }} in (
            {%- for date in dates | unique | sort %}cast('{{ date }}' as date){{ ', ' if not loop.last }}{% endfor -%}
        )
        {%- else -%}
        false
        {%- endif -%}
        {%- if columns | length > 1 %}
        and ({{ columns | join(', ') }}) in (
            select
                {{ columns[0] }},
                date
            from {{ listed }}
        )
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
