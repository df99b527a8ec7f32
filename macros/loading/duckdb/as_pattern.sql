{# File names may contain characters that DuckDB reads as a pattern. #}
{%- macro as_pattern(path) -%}
    {{ sql_text(modules.re.sub('([*?[])', '[\\1]', path)) }}
{%- endmacro -%}
