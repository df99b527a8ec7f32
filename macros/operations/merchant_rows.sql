{#
    dbt run-operation protect_merchant_rows --args '{merchants: flyer_merchants, staff: [flyer_readers], builder: flyer_builder}'

    Lets who has the role `merchants` read the rows of merchant_flyer_daily and merchant_hourly that raw.merchant_readers
    gives them. `staff` are the roles that read all rows, `builder` is the one that builds, which
    must see all rows or its deletes would miss some. Anybody else reads none.

    Run it by a superuser or with the role sys:secadmin, once and after each full refresh: dbt puts a new table in place of
    the old one, which has neither the policy nor the merchants' rights, so that merchants read nothing until then.
#}
{%- macro protect_merchant_rows(merchants, staff, builder) -%}
    {%- do run_in_transaction(protect_merchant_rows_sql(merchants, staff, builder)) -%}
    {%- do log("Role " ~ merchants ~ " reads its own rows: see raw.merchant_readers for which these are", info=true) -%}
{%- endmacro -%}

{# Undoes it: everybody with a right to the table reads all rows, and the merchants have none. #}
{%- macro unprotect_merchant_rows(merchants) -%}
    {%- do run_in_transaction(unprotect_merchant_rows_sql(merchants)) -%}
    {%- do log("Role " ~ merchants ~ " reads nothing; raw.merchant_readers is left as it is", info=true) -%}
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
    {%- for name in marts_of_merchants() -%}
        {%- set mart = relation_of(name).include(database=false) -%}
        {%- do statements.append('attach rls policy merchant_rows on ' ~ mart ~ ' to role ' ~ adapter.quote(merchants)) -%}
        {%- for role in staff -%}
            {%- do statements.append('attach rls policy every_row on ' ~ mart ~ ' to role ' ~ adapter.quote(role)) -%}
        {%- endfor -%}
        {%- do statements.extend([
            'alter table ' ~ mart ~ ' row level security on',
            'grant usage on schema ' ~ mart.without_identifier() ~ ' to role ' ~ adapter.quote(merchants),
            'grant ' ~ select_each_column(name) ~ ' on ' ~ mart ~ ' to role ' ~ adapter.quote(merchants),
        ]) -%}
    {%- endfor -%}
    {{ return(statements) }}
{%- endmacro -%}

{%- macro unprotect_merchant_rows_sql(merchants) -%}
    {%- set statements = [] -%}
    {%- for name in marts_of_merchants() -%}
        {%- set mart = relation_of(name).include(database=false) -%}
        {%- do statements.extend([
            'revoke ' ~ select_each_column(name) ~ ' on ' ~ mart ~ ' from role ' ~ adapter.quote(merchants),
            'alter table ' ~ mart ~ ' row level security off',
        ]) -%}
    {%- endfor -%}
    {{ return(statements + [
        'drop rls policy if exists merchant_rows cascade',
        'drop rls policy if exists every_row cascade',
    ]) }}
{%- endmacro -%}

{# Those without users and without figures of few readers. #}
{%- macro marts_of_merchants() -%}
    {{ return(['merchant_flyer_daily', 'merchant_hourly']) }}
{%- endmacro -%}

{# Column by column, as dbt would take back a right to the table that its own config does not give. #}
{%- macro select_each_column(model) -%}
    select ({{ graph.nodes['model.flyer_analytics.' ~ model].columns | join(', ') }})
{%- endmacro -%}

{%- macro run_in_transaction(statements) -%}
    {%- if target.type != 'redshift' -%}
        {{ exceptions.raise_compiler_error("Rows are protected on Redshift; target " ~ target.name ~ " is " ~ target.type) }}
    {%- endif -%}
    {%- for statement_sql in statements -%}
        {%- call statement(auto_begin=true) -%} {{ statement_sql }} {%- endcall -%}
    {%- endfor -%}
    {%- do run_query('commit') -%}
{%- endmacro -%}
