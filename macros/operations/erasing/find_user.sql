{%- macro find_user(user) -%}
    {%- do create_raw_tables() -%}
    {%- set user_id = user_id_of(user) -%}
    {%- set rows, files = {}, [] -%}
    {%- for table in tables_of_users(user_id) -%}
        {%- set count = run_query('select count(*) from ' ~ table.relation ~ ' where ' ~ table.condition).rows[0][0] | int -%}
        {%- if count -%}{%- do rows.update({table.relation.schema ~ '.' ~ table.relation.identifier: count}) -%}{%- endif -%}
        {%- if table.file -%}
            {%- do files.extend(run_query(
                'select distinct ' ~ table.file ~ ' from ' ~ table.relation ~ ' where ' ~ table.condition
            ).columns[0].values()) -%}
        {%- endif -%}
    {%- endfor -%}
    {#- files whose content was loaded under another name -#}
    {%- do files.extend(run_query(
        'select distinct file from ' ~ adapter.quote('raw') ~ '.loaded_files where fingerprint is null'
    ).columns[0].values()) -%}
    {%- do log(tojson({
        'user_id': user_id,
        'rows': rows,
        'files': files | select | unique | list,
        'is_of_user': is_of_user(user_id),
        'line_mentions_user': mentions_user('line', user_id),
        'build': erasing_state(),
        'was_erased': was_erased(user_id),
    }), info=true) -%}
{%- endmacro -%}

{#
    complete: all models have all staged rows. erasing: a killed erasure goes on. none: no complete build is known, so the
    next one builds every table whole. Any other: a build has to end first, whose days would be lost.
#}
{%- macro erasing_state() -%}
    {%- if not is_build_known() -%}{{ return('none') }}{%- endif -%}
    {%- set state = run_query(
        'select completed_to, (select max(_loaded_at) from ' ~ relation_of('stg_flyer_app__events_keyed')
        ~ '), (select count(*) from ' ~ relation_of('int_flyer_days_to_aggregate') ~ ' where user_key = 0) from '
        ~ build_state()
    ).rows[0] -%}
    {{ return('erasing' if state[2] else 'complete' if state[0] == state[1] else 'incomplete') }}
{%- endmacro -%}

{%- macro was_erased(user_id) -%}
    {%- if adapter.get_relation(target.database, 'raw', 'erased_users') is none -%}{{ return(false) }}{%- endif -%}
    {{ return(run_query(
        'select 1 from ' ~ adapter.quote('raw') ~ '.erased_users where user_hash = ' ~ user_hash(sql_text(user_id))
    ).rows | length > 0) }}
{%- endmacro -%}
