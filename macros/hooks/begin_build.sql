{%- macro begin_build() -%}
    {%- if execute and flags.WHICH == 'test' -%}{%- do require_tested_tables() -%}{%- endif -%}
    {%- set selected = project_models() | select('in', selected_resources) | list if execute else [] -%}
    {%- if selected and flags.WHICH in ['run', 'build', 'retry'] and is_build_known() -%}
        {%- set state = last_build() -%}
        {%- set settings = fromjson(state['settings']) if state and state['settings'] else {} -%}
        {%- set rebuilds = flags.FULL_REFRESH and selected | length == project_models() | length -%}

        {%- if flags.EMPTY -%}
            {{ exceptions.raise_compiler_error(
                "--empty would replace the tables of a complete build by empty ones. Nothing was changed. Use it on a new"
                ~ " database" ~ (": FLYER_DUCKDB_PATH=empty.duckdb dbt build --empty" if target.type == 'duckdb' else "")
            ) }}
        {%- endif -%}
        {%- if settings -%}
            {%- do stop_on_changed_settings(settings, rebuilds) -%}
        {%- endif -%}
        {%- if not settings or rebuilds or state['reads'] != events_read() -%}
            {%- do adapter.drop_relation(build_state()) -%}
        {%- elif settings.min_readers != var('min_readers') -%}
            {%- do drop_marts_for_merchants(settings.min_readers, selected) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro stop_on_changed_settings(old, rebuilds) -%}
    {%- set changes = [] -%}
    {%- for name, value in build_settings().items() if old.get(name) != value and name != 'min_readers' -%}
        {%- if not rebuilds or (name == 'event_types' and 'seed.flyer_analytics.event_types' not in selected_resources) -%}
            {%- do changes.append(
                "seeds/event_types.csv has changed" if name == 'event_types'
                else "another version of this project built them" if name == 'layout'
                else "var " ~ name ~ " was " ~ old.get(name) ~ " and is now " ~ value
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if changes -%}
        {{ exceptions.raise_compiler_error(
            "The tables were built with other settings, and old rows must not mix with new ones:\n    "
            ~ changes | join("\n    ")
            ~ "\nRestore the setting, or rebuild everything: dbt build --full-refresh"
        ) }}
    {%- endif -%}
{%- endmacro -%}

{# No other model depends on min_readers, so these alone are built whole: dbt does so where a table is missing. #}
{%- macro drop_marts_for_merchants(old, selected) -%}
    {%- for name in ['merchant_flyer_daily', 'merchant_hourly'] -%}
        {%- if 'model.flyer_analytics.' ~ name not in selected -%}
            {{ exceptions.raise_compiler_error(
                "var min_readers was " ~ old ~ " and is now " ~ var('min_readers') ~ ", so " ~ name
                ~ " must be rebuilt: run all models, as in dbt build"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in ['merchant_flyer_daily', 'merchant_hourly'] -%}
        {%- set mart = relation_of(name) -%}
        {%- set found = adapter.get_relation(mart.database, mart.schema, mart.identifier) -%}
        {%- if found -%}{%- do adapter.drop_relation(found) -%}{%- endif -%}
    {%- endfor -%}
{%- endmacro -%}

{# Each data test of a missing table would fail with an error of its own. #}
{%- macro require_tested_tables() -%}
    {%- set missing = [] -%}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' and test.unique_id in selected_resources -%}
        {%- for id in test.depends_on.nodes if id in graph.nodes and id not in missing -%}
            {%- set tested = graph.nodes[id] -%}
            {%- if adapter.get_relation(tested.database, tested.schema, tested.alias) is none -%}
                {%- do missing.append(id) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if missing -%}
        {{ exceptions.raise_compiler_error(
            "Nothing was tested: " ~ missing | length ~ " of the tables do not exist, such as "
            ~ graph.nodes[missing | sort | first].name ~ ". Build them first: " ~ ("make build, or " if target.type == 'duckdb')
            ~ "dbt build"
        ) }}
    {%- endif -%}
{%- endmacro -%}
