{#
    A real table, since Redshift answers a query without a table on its leader node, whose functions are not those of
    its compute nodes. A name is logged before its query, so that an error of the database follows the name.
#}
{%- macro check_engine(skip=[]) -%}
    {%- set checks = [] -%}
    {%- for check in engine_checks() if check.name not in skip and check.only in [none, target.type] -%}
        {%- do checks.append(check) -%}
    {%- endfor -%}
    {%- do log(engine_version(), info=true) -%}
    {%- do create_engine_check(checks) -%}
    {%- set differences = [] -%}
    {%- for check in checks -%}
        {%- do log(check.name, info=true) -%}
        {%- set different = [] -%}
        {%- for row in run_query(engine_check_sql(check)).rows if row[3] == 'no' -%}
            {%- do different.append(
                "    for " ~ (row[0] or 'null') ~ " expected " ~ (row[1] or 'null') ~ ", got " ~ (row[2] or 'null')
            ) -%}
        {%- endfor -%}
        {%- if different -%}
            {%- do differences.append(check.name ~ ": " ~ check.means ~ "\n" ~ different | join("\n")) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do run_query('drop table engine_check') -%}
    {%- if differences -%}
        {{ exceptions.raise_compiler_error(
            differences | length ~ " of " ~ checks | length ~ " expressions have other values on " ~ target.type
            ~ " than this project expects:\n" ~ differences | join("\n")
        ) }}
    {%- endif -%}
    {%- do log(checks | length ~ " expressions have the expected values on " ~ target.type, info=true) -%}
{%- endmacro -%}

{%- macro create_engine_check(checks) -%}
    {%- do run_query(
        'create temporary table engine_check'
        ~ ' (name varchar(100), number integer, value varchar(4096), expected varchar(4096))'
    ) -%}
    {%- set rows = [] -%}
    {%- for check in checks -%}
        {%- for value, expected in check.rows -%}
            {%- do rows.append(
                '(' ~ sql_text(check.name) ~ ', ' ~ loop.index ~ ', ' ~ text_or_null(value) ~ ', '
                ~ text_or_null(expected) ~ ')'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do run_query('insert into engine_check (name, number, value, expected) values ' ~ rows | join(', ')) -%}
{%- endmacro -%}

{# Compared in the select list, where all rows are of this check, so that no cast meets the values of another one. #}
{%- macro engine_check_sql(check) -%}
    select
        value,
        cast(expected as varchar(4096)) as expected_text,
        cast(answer as varchar(4096)) as answer_text,
        case when answer = expected or (answer is null and expected is null) then 'yes' else 'no' end as is_expected
    from (
        select
            number,
            value,
            cast(expected as {{ check.type }}) as expected,
            {{ check.sql }} as answer
        from engine_check
        where name = {{ sql_text(check.name) }}
    ) as answers
    order by number
{%- endmacro -%}

{%- macro text_or_null(value) -%}
    {{ 'null' if value is none else sql_text(value) }}
{%- endmacro -%}

{%- macro engine_version() -%}
    {%- set version = run_query('select version()').columns[0].values() | first -%}
    {%- if target.type != 'redshift' -%}{{ return(target.type ~ ' ' ~ version) }}{%- endif -%}
    {%- set levels = run_query(
        'select trim(isolation_level) from stv_db_isolation_level where db_name = ' ~ sql_text(target.database)
    ).columns[0].values() -%}
    {%- set meaning = {
        'Serializable': ': of a load, a build and readers at the same time, one can fail with a serializable isolation'
            ~ ' violation. Run it again, or: alter database ' ~ target.database ~ ' isolation level snapshot',
    } -%}
    {%- set level = levels | first or 'unknown' -%}
    {{ return(version ~ ', isolation level ' ~ level ~ meaning.get(level, '')) }}
{%- endmacro -%}
