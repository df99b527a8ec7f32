{%- macro complete_build(results) -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] and not flags.EMPTY -%}
        {%- set built = results | selectattr('status', 'equalto', 'success')
            | map(attribute='node') | map(attribute='unique_id') | select('in', project_models()) | list -%}
        {%- if built | length == project_models() | length -%}
            {%- set is_increment = is_build_known() -%}
            {%- if not is_increment -%}{%- do create_build_state() -%}{%- endif -%}
            {%- set old = is_increment and last_build() or {} -%}
            {#- of large tables, what this run may have written -#}
            {%- set new_dates = is_listed(relation_of('stg_flyer_app__new_dates'), is_increment, columns=['date']) -%}
            {%- for sql in [
                'delete from ' ~ build_state(),
                'insert into ' ~ build_state() ~ ' select greatest(max(_loaded_at), ' ~ timestamp_sql(old.completed_to) ~ '), '
                    ~ 'greatest(max(_loaded_at), ' ~ timestamp_sql(old.staged_to) ~ ', (select max(_loaded_at) from '
                    ~ relation_of('stg_flyer_app__rejected') ~ ')), '
                    ~ sql_text(tojson(build_settings(), sort_keys=true)) ~ ', ' ~ sql_text(events_read())
                    ~ ' from ' ~ relation_of('stg_flyer_app__events_keyed') ~ ' where ' ~ new_dates,
                'delete from ' ~ relation_of('stg_flyer_app__new_dates'),
                'delete from ' ~ relation_of('int_flyer_days_to_rebuild'),
                'delete from ' ~ relation_of('int_flyer_days_to_aggregate'),
            ] -%}
                {%- call statement(auto_begin=true) -%} {{ sql }} {%- endcall -%}
            {%- endfor -%}
            {%- do adapter.commit() -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro timestamp_sql(text) -%}
    cast({{ sql_text(text) if text else 'null' }} as timestamp)
{%- endmacro -%}

{# In the same transaction: a table without its row would be a complete build of unknown loads. #}
{%- macro create_build_state() -%}
    {%- set state = build_state() -%}
    {%- set comments = {
        'completed_to': 'The last load of which every model has all rows, UTC. Null if no event was usable.',
        'staged_to': 'The last load that is staged, UTC. Later than completed_to if all of its rows were rejected.',
        'settings': 'Vars, and the checksum of event_types.csv, with which the tables were built.',
        'reads': 'Which events the models read: loaded ones or the sample.',
    } -%}
    {%- call statement(auto_begin=true) -%}
        create table {{ state }} (completed_to timestamp, staged_to timestamp, settings varchar(65535), reads varchar(100))
    {%- endcall -%}
    {%- call statement(auto_begin=true) -%}
        comment on table {{ state }} is 'One row: the last complete build. Missing while none is known.'
    {%- endcall -%}
    {%- for column, comment in comments.items() -%}
        {%- call statement(auto_begin=true) -%} comment on column {{ state }}.{{ column }} is '{{ comment }}' {%- endcall -%}
    {%- endfor -%}
{%- endmacro -%}
