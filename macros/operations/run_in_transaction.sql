{%- macro run_in_transaction(statements) -%}
    {%- if target.type != 'redshift' -%}
        {{ exceptions.raise_compiler_error("Row-level security needs Redshift; target " ~ target.name ~ " is " ~ target.type) }}
    {%- endif -%}
    {%- for statement_sql in statements -%}
        {%- call statement(auto_begin=true) -%} {{ statement_sql }} {%- endcall -%}
    {%- endfor -%}
    {%- do run_query('commit') -%}
{%- endmacro -%}
