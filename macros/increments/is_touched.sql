{# The lists are filled while models are built, and emptied by complete_build, so only the tests of a build can use them. #}
{%- macro is_touched(list, columns=['user_key', 'date'], recomputed=true) -%}
    {%- set is_scope = execute and env_var('FLYER_TEST_SCOPE', 'touched' if target.type == 'redshift' else 'all') == 'touched' -%}
    {%- if not (is_scope and flags.WHICH == 'build' and not flags.FULL_REFRESH and is_build_known()) -%}
        true
    {%- elif list == 'stg_flyer_app__events_keyed' -%}
        {{ is_listed(
            '(select user_key, date from ' ~ relation_of(list) ~ ' where '
                ~ is_listed(relation_of('stg_flyer_app__new_dates'), true, columns=['date'])
                ~ ' and _loaded_at > ' ~ watermark() ~ ') as new_days',
            true, columns
        ) }}
    {%- else -%}
        {{ is_listed(relation_of(list), true, columns, recomputed) }}
    {%- endif -%}
{%- endmacro -%}
