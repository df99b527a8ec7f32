{# On both engines `~` is true if the pattern matches from the beginning to the end. Here `.` matches no line feed. #}
{%- macro mentions_user(text, user_id) -%}
    {%- if user_id | length < 8 -%}
        false
    {%- else -%}
        {%- set word = modules.re.sub('[^0-9A-Za-z_-]', '.', user_id) -%}
        coalesce(replace({{ text }}, chr(10), ' ') ~ '^(.*[^0-9A-Za-z_-])?{{ word }}([^0-9A-Za-z_-].*)?$', false)
    {%- endif -%}
{%- endmacro -%}
