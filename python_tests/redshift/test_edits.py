"""Each edit: what it changes, and what it does not change."""

import pytest

from tools.redshift_standin.edits import RefusedError, edit
from tools.redshift_standin.tokens import text_of, tokens, without_blanks


def shape(sql: str) -> list[str]:
    """Return the tokens of a statement, independent of its layout."""
    return [token.text for token in without_blanks(tokens(sql))]


@pytest.mark.parametrize(
    ("sql", "edited"),
    [
        ('select "Abc" from "Raw"."Events"', 'select "abc" from "raw"."events"'),
        ("select datediff(day, a, b)", "select datediff('day', a, b)"),
        ("select DateAdd( /* x */ Second, -1, a)", "select DateAdd( /* x */ 'second', -1, a)"),
        (
            "select last_value(coalesce(a, b) ignore nulls) over (order by c)",
            "select last_value_ignore_nulls(coalesce(a, b) ) over (order by c)",
        ),
        (
            "select first_value(a) ignore nulls over (w), last_value(b) respect nulls over (w)",
            "select first_value_ignore_nulls(a) over (w), last_value(b) over (w)",
        ),
        (
            "select listagg(distinct a, ', ') within group (order by b desc), listagg(c)",
            "select string_agg(distinct a::text, ', ' order by b desc), string_agg(c::text,'')",
        ),
        ("select sysdate", "select redshift.sysdate()"),
        ("set query_group to 'etl'", "set redshift.query_group to 'etl'"),
        ("create view v as select 1 with no schema binding;", "create view v as select 1 ;"),
        ("grant select on t to role bi, group analysts, ann", "grant select on t to bi, analysts, ann"),
        ("revoke all on t from group analysts", "revoke all on t from analysts"),
        (
            'create table "D"."S".t (id bigint not null encode az64, name varchar, amount decimal,'
            " note character varying distkey, big varchar(max), primary key (id))"
            " backup no diststyle key distkey (id) compound sortkey(id, name)",
            'create table "d"."s".t (id bigint not null, name varchar(256), amount numeric(18, 0), note varchar(256),'
            " big varchar(65535))",
        ),
        (
            "create temp table t diststyle even sortkey(a) as (select 1 as a);",
            "create temp table t as select * from ( (select 1 as a) ) as keys_checked"
            ' where case when true then true else keys_checked."a" is null end',
        ),
        ("create table if not exists t diststyle all as select 1", "create table if not exists t as select 1"),
        ("alter table t add column c varchar", "alter table t add column c varchar(256)"),
    ],
)
def test_an_edit_fires(sql: str, edited: str) -> None:
    assert shape(edit(sql)) == shape(edited)


@pytest.mark.parametrize(
    "sql",
    [
        "select 'datediff(day, a, b)', 'it''s \\' sysdate', $$ listagg(a) $$, $x$ filter ( $x$",
        "select 1 -- datediff(day, a, b) sysdate 'open\n from t",
        "select 1 /* last_value(a ignore nulls) /* sysdate */ filter ( */ from t",
        'select "sysdate", t.sysdate, "datediff", "distinct on (" from t',
        "select datediff('day', a, b), lag(a) over (order by ignore), t.listagg, filter from t",
        "select backup, encode, distkey from primary_keys",
        "insert into t (role, sortkey) values ('with no schema binding', 'to role x')",
        "create view v as select cast(a as varchar), b::numeric from t",
        "comment on table t is $dbt_comment_literal_block$ it's distkey(a) $dbt_comment_literal_block$",
    ],
)
def test_edits_do_not_change(sql: str) -> None:
    assert edit(sql) == sql


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select sum(a) filter (where b) from t", "case when"),
        ("select distinct on (a) a from t", "number the rows"),
        ("select array_agg(a) from t", "listagg"),
        ("select String_Agg (a, ',') from t", "listagg"),
        ("select * from generate_series(1, 2)", "table of numbers"),
        ("create unique index i on t (a)", "sort key"),
        ("insert into t values (1) on conflict do nothing", "merge"),
        ("create table t (a integer) distkey(b)", 'column "b" named as key does not exist'),
        ("create table t (a integer, check (a > 0))", "check constraints"),
        ("create table t (a integer) partition by (a)", 'near "partition"'),
        ("select lag(a ignore nulls) over (order by b)", "does not support lag with ignore nulls"),
        ("select datediff(day, a, b", "never closed"),
    ],
)
def test_a_statement_is_refused(sql: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message.replace("(", "[(]")):
        edit(sql)


@pytest.mark.parametrize(
    "sql", ["", " ", "'open", '"open', "/* open", "$$ open", "select 1.5e3::x||y <> 'é' -- ü", "$1"]
)
def test_tokens_joined_are_the_statement(sql: str) -> None:
    assert text_of(tokens(sql)) == sql
