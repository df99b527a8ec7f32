{# With a letter before the id: dbt would make a number of digits. #}
{%- macro find_erased_users() -%}
    {%- set raw = adapter.quote('raw') -%}
    {%- set users = [] -%}
    {%- if adapter.get_relation(target.database, 'raw', 'erased_users') is not none -%}
        {%- for user_id in run_query(
            "select distinct 'u' || delivered.user_id from (select " ~ cleaned_id(trimmed('user_id')) ~ ' as user_id from '
            ~ raw ~ '.flyer_events where _loaded_at >= (select ' ~ dateadd('day', -1, 'min(erased_at)') ~ ' from ' ~ raw
            ~ '.erased_users)) as delivered inner join ' ~ raw ~ '.erased_users as erased on '
            ~ user_hash('delivered.user_id') ~ ' = erased.user_hash'
        ).columns[0].values() -%}
            {%- do users.append(user_id[1:]) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do log(tojson(users), info=true) -%}
{%- endmacro -%}
