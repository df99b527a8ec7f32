{%- macro finish_erasing() -%}
    {%- if is_build_known() -%}
        {%- do run_in_transaction([
            'update ' ~ build_state() ~ ' set completed_to = (select max(_loaded_at) from '
                ~ relation_of('stg_flyer_app__events_keyed') ~ ')',
            'delete from ' ~ relation_of('int_flyer_days_to_aggregate'),
        ]) -%}
    {%- endif -%}
{%- endmacro -%}
