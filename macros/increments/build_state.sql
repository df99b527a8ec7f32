{#
    What the tables hold, in one row of build_state: the last load of which every model has all rows, and the settings
    and events under which it was built. It is written when a run has built every model; until then the next run does
    the same loads again, which changes nothing where they were done.
#}
{%- macro build_state() -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name('staging', none), identifier='build_state', type='table'
    )) }}
{%- endmacro -%}

{# The last load of which every model has all rows, as text; none where everything is to be built. #}
{%- macro completed_to() -%}
    {%- set state = build_state() -%}
    {%- if execute and adapter.get_relation(state.database, state.schema, state.identifier) is not none -%}
        {{ return(run_query('select cast(completed_to as varchar(30)) from ' ~ state).columns[0].values() | first) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro -%}

{# dbt's own answer, or yes while no complete build is known: then every model is built whole and swapped in. #}
{%- macro should_full_refresh() -%}
    {%- set asked = config.get('full_refresh') -%}
    {%- if asked is none -%}{%- set asked = flags.FULL_REFRESH -%}{%- endif -%}
    {{ return(asked or (model.resource_type == 'model' and completed_to() is none)) }}
{%- endmacro -%}

{#
    At the start of a run that builds models: makes build_state where it is missing, stops where old rows would mix with
    new ones of other settings, and forgets the state where everything will be, or must be, built again.
#}
{%- macro begin_build() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] and selected_models() -%}
        {%- set state = build_state() -%}
        {%- if adapter.get_relation(state.database, state.schema, state.identifier) is none -%}
            {%- do run_query('create schema if not exists ' ~ state.without_identifier().include(database=false)) -%}
            {%- call statement(auto_begin=false) -%}
                create table if not exists {{ state }} (
                    completed_to timestamp, settings varchar(65535), reads varchar(100)
                )
            {%- endcall -%}
            {%- set comments = {
                'completed_to': 'The last load of which every model has all rows, UTC; null while none is known.',
                'settings': 'The vars, and the checksum of event_types.csv, under which the tables were built.',
                'reads': 'Which events the models read: loaded ones or the sample.',
            } -%}
            {%- call statement(auto_begin=false) -%}
                comment on table {{ state }} is 'One row: what the tables hold. Written when a run has built every model.'
            {%- endcall -%}
            {%- for column, comment in comments.items() -%}
                {%- call statement(auto_begin=false) -%}
                    comment on column {{ state }}.{{ column }} is '{{ comment }}'
                {%- endcall -%}
            {%- endfor -%}
            {%- call statement(auto_begin=false) -%}
                insert into {{ state }} select null, null, null where not exists (select 1 from {{ state }})
            {%- endcall -%}
        {%- endif -%}
        {%- set known = run_query('select settings, reads from ' ~ state).rows | first -%}
        {%- set rebuilds = flags.FULL_REFRESH and selected_models() | length == all_models() | length -%}

        {%- if known['settings'] -%}{%- do stop_on_changed_settings(fromjson(known['settings']), rebuilds) -%}{%- endif -%}
        {%- if known['settings'] and (rebuilds or known['reads'] != events_read()) -%}
            {%- call statement(auto_begin=false) -%}
                update {{ state }} set completed_to = null, settings = null, reads = null
            {%- endcall -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{# At the end of a run that built every model: nothing is left to do of the loads that it saw. #}
{%- macro complete_build(results) -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] and not flags.EMPTY -%}
        {%- set built = results | selectattr('status', 'equalto', 'success')
            | map(attribute='node') | map(attribute='unique_id') | select('in', all_models()) | list -%}
        {%- if built | length == all_models() | length -%}
            {%- call statement(auto_begin=true) -%}
                update {{ build_state() }} set
                    completed_to = (select max(_loaded_at) from {{ relation_of('stg_flyer_app__events_keyed') }}),
                    settings = {{ sql_text(tojson(settings(), sort_keys=true)) }},
                    reads = '{{ events_read() }}'
            {%- endcall -%}
            {%- for list in ['int_flyer_days_touched', 'int_flyer_days_affected'] -%}
                {%- call statement(auto_begin=true) -%} delete from {{ relation_of(list) }} {%- endcall -%}
            {%- endfor -%}
            {%- do run_query('commit') -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro stop_on_changed_settings(old, rebuilds) -%}
    {%- set changes = [] -%}
    {%- for name, value in settings().items() if old.get(name) != value -%}
        {%- do changes.append(
            "seeds/event_types.csv has other contents" if name == 'event_types'
            else "the models make tables of other columns" if name == 'layout'
            else "var " ~ name ~ " was " ~ old.get(name) ~ " and is " ~ value
        ) -%}
    {%- endfor -%}
    {%- set seeds_left_out = settings().event_types != old.get('event_types')
        and 'seed.flyer_analytics.event_types' not in selected_resources -%}
    {%- if changes and (not rebuilds or seeds_left_out) -%}
        {{ exceptions.raise_compiler_error(
            "The tables were built with other settings, and old rows would mix with new ones:\n    "
            ~ changes | join("\n    ")
            ~ "\nSet it back, or build everything again: dbt build --full-refresh"
        ) }}
    {%- endif -%}
{%- endmacro -%}

{#
    Everything beside the events themselves that decides what the rows are. Give `layout` another number when the tables of
    an older version of the models cannot be gone on with.
#}
{%- macro settings() -%}
    {%- set found = {
        'event_types': graph.nodes['seed.flyer_analytics.event_types'].checksum.checksum, 'layout': 3,
    } -%}
    {%- for name in vars_of_rows() -%}{%- do found.update({name: var(name) if var(name) is integer else var(name) | string}) -%}{%- endfor -%}
    {{ return(found) }}
{%- endmacro -%}

{# Which events the models read: the loaded ones, or this version of the sample. #}
{%- macro events_read() -%}
    {%- if run_query('select 1 from ' ~ adapter.quote('raw') ~ '.flyer_events limit 1').rows -%}
        {{ return('loaded') }}
    {%- endif -%}
    {{ return('sample ' ~ graph.nodes['seed.flyer_analytics.sample_flyer_events'].checksum.checksum) }}
{%- endmacro -%}

{%- macro all_models() -%}
    {{ return(
        graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('package_name', 'equalto', project_name) | map(attribute='unique_id') | list
    ) }}
{%- endmacro -%}

{%- macro selected_models() -%}
    {{ return(all_models() | select('in', selected_resources) | list) }}
{%- endmacro -%}

{%- macro relation_of(name) -%}
    {%- set node = graph.nodes['model.flyer_analytics.' ~ name] -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro -%}
