{%- macro text_checksum(text) -%}
    {{ return(adapter.dispatch('text_checksum')(text)) }}
{%- endmacro -%}

{%- macro duckdb__text_checksum(text) -%}
    cast('0x' || left(md5({{ text }}), 8) as bigint)
{%- endmacro -%}

{%- macro redshift__text_checksum(text) -%}
    strtol(left(md5({{ text }}), 8), 16)
{%- endmacro -%}
