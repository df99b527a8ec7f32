{%- macro is_json_object(line) -%}
    case when json_valid({{ line }}) then json_type({{ line }}) = 'OBJECT' else false end
{%- endmacro -%}
