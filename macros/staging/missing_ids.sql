{%- macro missing_ids() -%}
    {{ return([
        '', 'null', '<null>', '(null)', '%3cnull%3e', '%3cnull%3g', '\\n', 'none', 'nan', 'n/a', 'undefined',
    ]) }}
{%- endmacro -%}
