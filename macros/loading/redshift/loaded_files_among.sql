{%- macro loaded_files_among(files) -%}
    {%- set twins = {} -%}
    {%- for part in files | batch(1000) -%}
        {%- for row in run_query(loaded_twins_sql(part | map(attribute='fingerprint'))).rows -%}
            {%- do twins.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set loaded = [] -%}
    {%- for file in files if file.fingerprint in twins -%}
        {%- do loaded.append({'file': file.file, 'twin': twins[file.fingerprint]}) -%}
    {%- endfor -%}
    {{ return(loaded) }}
{%- endmacro -%}

{%- macro loaded_twins_sql(fingerprints) -%}
    select fingerprint, file from {{ adapter.quote('raw') }}.loaded_files
    where fingerprint in (
        {%- for fingerprint in fingerprints %}{{ sql_text(fingerprint) }}{{ ', ' if not loop.last }}{% endfor -%}
    )
{%- endmacro -%}
