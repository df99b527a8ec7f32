{# The date is compared by itself first, so that the engine reads the blocks of the listed dates only. #}
{%- macro is_listed(days, is_increment, columns=['user_key', 'date'], recomputed=false) -%}
    {%- set listed = days ~ (' where is_recomputed' if recomputed else '') -%}
    {%- if not is_increment -%}
        true
    {%- else -%}
        {{ columns[-1] }} in (select date from {{ listed }})
        {%- if columns | length > 1 %}
        and ({{ columns | join(', ') }}) in (
            select
                user_key,
                date
            from {{ listed }}
        )
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
