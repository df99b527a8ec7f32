{#
    In one transaction: what holds the user is deleted, and the user's dates are listed in int_flyer_days_to_aggregate, so
    that running int_flyer_daily and the models after it recomputes the figures over all users. Until finish_erasing, the
    build counts as complete up to no load: nothing is published, and a build in between recomputes every day.

    `files`: those that flyer_analytics/erase.py has rewritten. Their new fingerprints keep them from being loaded again.
#}
{%- macro erase_user(user, files) -%}
    {%- set user_id = user_id_of(user) -%}
    {%- set keyed, days = relation_of('stg_flyer_app__events_keyed'), relation_of('int_flyer_days_to_aggregate') -%}
    {%- set statements = remember_erased_sql(user_id) -%}
    {%- if is_build_known() -%}
        {%- do statements.extend([
            'insert into ' ~ days ~ " (user_key, user_id, date, is_recomputed) select distinct 0, '', date, true from "
                ~ keyed ~ ' where ' ~ is_key_of_user(user_id),
            'insert into ' ~ days ~ " (user_key, user_id, date, is_recomputed) select distinct 0, '', date, false from "
                ~ relation_of('int_flyer_views_over_midnight') ~ ' where view_date in (select date from ' ~ days ~ ')',
        ]) -%}
    {%- endif -%}
    {%- for table in tables_of_users(user_id) -%}
        {%- do statements.append('delete from ' ~ table.relation ~ ' where ' ~ table.condition) -%}
    {%- endfor -%}
    {%- if is_build_known() -%}
        {%- for name in ['int_flyer_daily', 'merchant_flyer_daily', 'merchant_hourly'] -%}
            {#- dates on which nobody else read: no run would replace them -#}
            {%- do statements.append(
                'delete from ' ~ relation_of(name) ~ ' where date in (select date from ' ~ days ~ ' except select date from '
                ~ relation_of('int_flyer_reader_days') ~ ' where views > 0)'
            ) -%}
        {%- endfor -%}
        {%- do statements.append(
            'update ' ~ build_state() ~ " set completed_to = cast('0001-01-01' as timestamp) where exists (select 1 from "
                ~ days ~ ')'
        ) -%}
    {%- endif -%}
    {%- for file in files -%}
        {%- do statements.append(rewritten_file_sql(file)) -%}
    {%- endfor -%}
    {%- do run_in_transaction(statements) -%}
{%- endmacro -%}

{# A hash, so that the id is kept nowhere and later deliveries of the user are still found. #}
{%- macro remember_erased_sql(user_id) -%}
    {%- set erased = adapter.quote('raw') ~ '.erased_users' -%}
    {%- set hash = user_hash(sql_text(user_id)) -%}
    {{ return([
        'create table if not exists ' ~ erased ~ ' (user_hash varchar(64), erased_at timestamp)',
        'delete from ' ~ erased ~ ' where user_hash = ' ~ hash,
        'insert into ' ~ erased ~ ' select ' ~ hash ~ ", cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S')
            ~ "' as timestamp)",
    ]) }}
{%- endmacro -%}

{# The row of the old fingerprint stays, so that an older copy of the file is not loaded again either. #}
{%- macro rewritten_file_sql(file) -%}
    {%- set loaded_files = adapter.quote('raw') ~ '.loaded_files' -%}
    {{ return(
        'insert into ' ~ loaded_files ~ ' (file, fingerprint, rows_loaded, lines_rejected, _loaded_at) select '
        ~ sql_text(file.name) ~ ', ' ~ sql_text(file.fingerprint) ~ ', 0, 0, max(_loaded_at) from ' ~ loaded_files
        ~ ' where file = ' ~ sql_text(file.name) ~ ' having count(*) > 0 and count(case when fingerprint = '
        ~ sql_text(file.fingerprint) ~ ' then 1 end) = 0'
    ) }}
{%- endmacro -%}
