{# Runs the SQL of the test once more, only if it found something. `print` shows the text under --quiet too. #}
{%- macro explain_rejections(results) -%}
    {%- for result in results if execute -%}
        {%- if result.node.name == 'assert_few_rows_are_rejected' and result.status in ['warn', 'fail'] -%}
            {%- set reasons = run_query(
                'select * from (' ~ result.node.compiled_code ~ ') as reasons'
                ~ ' order by _loaded_at desc nulls last, rejected_rows desc nulls last, rejection_reason nulls last'
            ).rows -%}
            {{ print(rejections_text(reasons, relation_of('stg_flyer_app__rejected'))) }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}

{%- macro rejections_text(reasons, rejected) -%}
    {%- set most = 20 -%}
    {%- set lines = [
        "None of the rows loaded since the last complete build can be used. No model after staging was built:"
        if reasons[0].severity == 2 else "Warning: more than a tenth of the rows of a load cannot be used:"
    ] -%}
    {%- for reason in reasons[:most] -%}
        {%- if loop.changed(reason._loaded_at) -%}
            {%- do lines.append("  " ~ with_commas(reason.rejected_of_load) ~ " of " ~ with_commas(reason.rows_loaded)
                ~ " rows loaded at " ~ reason._loaded_at.strftime('%Y-%m-%d %H:%M:%S') ~ " UTC") -%}
        {%- endif -%}
        {#- a list shows its texts quoted, with line breaks as \n -#}
        {%- do lines.append("    " ~ with_commas(reason.rejected_rows) ~ " " ~ reason.rejection_reason
            ~ (", such as " ~ ([reason.example[:100]] | string)[1:-1] if reason.example)
            ~ (" in " ~ reason.example_file if reason.example_file)) -%}
    {%- endfor -%}
    {%- if reasons | length > most -%}
        {%- do lines.append("    and " ~ with_commas(reasons | length - most) ~ " more, of this or older loads") -%}
    {%- endif -%}
    {%- do lines.append(rejected.schema ~ "." ~ rejected.identifier ~ " has these rows, docs/definitions.md says which"
        ~ " values are valid.\nLoad corrected files, then build again. If the values are right, change"
        ~ " seeds/event_types.csv or the vars,\nthen run dbt build --full-refresh.") -%}
    {{ return(lines | join('\n')) }}
{%- endmacro -%}

{# Without the method format, which dbt 2 does not have. #}
{%- macro with_commas(number) -%}
    {{- number | int | string | reverse | batch(3) | map('join') | join(',') | reverse -}}
{%- endmacro -%}
