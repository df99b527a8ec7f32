{# The last load of which every model has all rows, as an SQL literal. #}
{%- macro complete_watermark() -%}
    {{ watermark_literal('select completed_to as watermark from ' ~ build_state()) }}
{%- endmacro -%}
