{# A path as a pattern that matches itself alone: a file's name may hold what DuckDB reads as a pattern. #}
{%- macro as_pattern(path) -%}
    {{ sql_text(modules.re.sub('([*?[])', '[\\1]', path)) }}
{%- endmacro -%}
