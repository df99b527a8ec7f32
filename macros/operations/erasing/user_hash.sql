{%- macro user_hash(user_id) -%}
    {{ return(adapter.dispatch('user_hash')(user_id)) }}
{%- endmacro -%}

{%- macro duckdb__user_hash(user_id) -%}
    sha256({{ user_id }})
{%- endmacro -%}

{%- macro redshift__user_hash(user_id) -%}
    sha2({{ user_id }}, 256)
{%- endmacro -%}
