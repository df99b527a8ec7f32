{%- macro require_seeds() -%}
    {%- if execute -%}
        {%- for seed in graph.nodes.values() if seed.resource_type == 'seed' and seed.unique_id not in selected_resources -%}
            {%- if adapter.get_relation(seed.database, seed.schema, seed.alias) is none -%}
                {%- do load_missing_seed(seed) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro load_missing_seed(seed) -%}
    {{ return(adapter.dispatch('load_missing_seed')(seed)) }}
{%- endmacro -%}

{%- macro duckdb__load_missing_seed(seed) -%}
    {%- do run_query('create schema if not exists ' ~ seed.schema) -%}
    {%- call statement(auto_begin=false) -%}
        create table {{ seed.schema }}.{{ seed.alias }} as
        from read_csv(
            {{ sql_text(seed.root_path ~ '/' ~ seed.original_file_path) }},
            header = true, delim = ',', quote = '"', escape = '"',
            types = {{ seed.config.column_types | tojson }}
        )
    {%- endcall -%}
{%- endmacro -%}

{%- macro redshift__load_missing_seed(seed) -%}
    {{ exceptions.raise_compiler_error(
        "Seed " ~ seed.name ~ " is not in " ~ target.database ~ "." ~ seed.schema ~ ": run `dbt seed --target "
        ~ target.name ~ "` once, then this command again."
    ) }}
{%- endmacro -%}
