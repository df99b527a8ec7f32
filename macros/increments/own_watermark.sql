{#
    The last load of which this staging model has all rows, as an SQL literal. After an interrupted run, that is later than
    the watermark of the last complete build.
#}
{%- macro own_watermark() -%}
    {{ watermark_literal(
        'select max(_loaded_at) as watermark from ' ~ this
        ~ ' union all select completed_to as watermark from ' ~ build_state()
    ) }}
{%- endmacro -%}
