{# The day is counted from the first of its month, so a date that does not exist, such as 2018-02-29, is in the next one. #}
{%- macro is_date(text) -%}
    {%- if modules.re.fullmatch('(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', text) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set year, month, day = text.split('-') | map('int') | list -%}
    {{ return((modules.datetime.date(year, month, 1) + modules.datetime.timedelta(day - 1)).month == month) }}
{%- endmacro -%}
