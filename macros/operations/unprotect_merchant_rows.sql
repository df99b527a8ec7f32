{%- macro unprotect_merchant_rows(merchants) -%}
    {%- do require_redshift("Row-level security") -%}
    {%- do run_in_transaction(unprotect_merchant_rows_sql(merchants)) -%}
    {%- do log("Role " ~ merchants ~ " can no longer read the marts; raw.merchant_readers is unchanged", info=true) -%}
{%- endmacro -%}

{%- macro unprotect_merchant_rows_sql(merchants) -%}
    {%- set statements = [] -%}
    {%- for mart in merchant_marts() -%}
        {%- do statements.extend([
            'revoke ' ~ mart.select ~ ' on ' ~ mart.relation ~ ' from role ' ~ adapter.quote(merchants),
            'alter table ' ~ mart.relation ~ ' row level security off',
        ]) -%}
    {%- endfor -%}
    {{ return(statements + [
        'drop rls policy if exists merchant_rows cascade',
        'drop rls policy if exists every_row cascade',
    ]) }}
{%- endmacro -%}
