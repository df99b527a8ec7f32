{# `fromyaml` is the one function here that tells a date that does not exist, such as 2018-02-29: it returns none. #}
{%- macro is_date(text) -%}
    {{ return(
        modules.re.fullmatch('(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}', text) is not none and fromyaml(text) is not none
    ) }}
{%- endmacro -%}
