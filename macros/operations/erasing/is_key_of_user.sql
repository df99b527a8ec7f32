{%- macro is_key_of_user(user_id) -%}
    user_key in (
        select user_key from {{ relation_of('stg_flyer_app__users') }} where user_id = {{ sql_text(user_id) }}
    )
{%- endmacro -%}
