{%- macro protect_merchant_rows(merchants, staff, builder) -%}
    {%- do require_redshift("Row-level security") -%}
    {%- do run_in_transaction(protect_merchant_rows_sql(merchants, staff, builder)) -%}
    {%- do log("Members of role " ~ merchants ~ " can read the rows that raw.merchant_readers gives them", info=true) -%}
{%- endmacro -%}

{%- macro protect_merchant_rows_sql(merchants, staff, builder) -%}
    {%- set readers = adapter.quote('raw') ~ '.merchant_readers' -%}
    {%- set statements = [
        'grant ignore rls to role ' ~ adapter.quote(builder),
        'create table if not exists ' ~ readers ~ ' (reader varchar(128), merchant_id varchar(1024)) diststyle all',
        'drop rls policy if exists merchant_rows cascade',
        'drop rls policy if exists every_row cascade',
        'create rls policy merchant_rows with (merchant_id varchar(1024)) using (merchant_id in (select merchant_id from '
            ~ readers ~ ' where reader = current_user))',
        'create rls policy every_row using (true)',
    ] -%}
    {%- for mart in merchant_marts() -%}
        {%- do statements.append('attach rls policy merchant_rows on ' ~ mart.relation ~ ' to role ' ~ adapter.quote(merchants)) -%}
        {%- for role in staff -%}
            {%- do statements.append('attach rls policy every_row on ' ~ mart.relation ~ ' to role ' ~ adapter.quote(role)) -%}
        {%- endfor -%}
        {%- do statements.extend([
            'alter table ' ~ mart.relation ~ ' row level security on',
            'grant usage on schema ' ~ mart.relation.without_identifier() ~ ' to role ' ~ adapter.quote(merchants),
            'grant ' ~ mart.select ~ ' on ' ~ mart.relation ~ ' to role ' ~ adapter.quote(merchants),
        ]) -%}
    {%- endfor -%}
    {{ return(statements) }}
{%- endmacro -%}
