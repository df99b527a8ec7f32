{%- macro run_in_transaction(statements) -%}
    {%- for statement_sql in statements -%}
        {%- call statement(auto_begin=true) -%} {{ statement_sql }} {%- endcall -%}
    {%- endfor -%}
    {%- do adapter.commit() -%}
{%- endmacro -%}
