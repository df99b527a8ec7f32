"""Each rule finds its bad statements, and no rule finds anything in the good ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.redshift_standin.lint import TABLE, lint
from tools.redshift_standin.lint.__main__ import main
from tools.redshift_standin.lint.structure import RESERVED

BAD = [(rule["name"], sql) for rule in TABLE for sql in rule["bad"]]
GOOD = [sql for rule in TABLE for sql in rule["good"]]


ONLY_ON_REDSHIFT = [
    """copy "raw".t ("timestamp", a) from 's3://b/x' iam_role 'r' format as csv ignoreheader 1 timeformat 'auto'""",
    "unload ('select a from t') to 's3://b/p' iam_role default format parquet partition by (date) allowoverwrite",
    "create external schema k from msk iam_role 'r' authentication none uri 'b:9092'",
    'create materialized view v auto refresh yes as select json_parse(kafka_value) as a from k."t" where'
    " can_json_parse(kafka_value)",
    "create rls policy p with (a varchar(99)) as m using (m.a in (select r.a from u as r where user_is_member_of(b)))",
    "attach rls policy p on t to role r",
    "alter default privileges in schema s grant select on tables to role r",
    "create table t (a bigint identity(1, 1), b super) diststyle key distkey (a) compound sortkey (a, b)",
    'create table "d"."s"."t" backup no distkey ("a") sortkey ("b") as (select 1 as a, 2 as b)',
    "create view v as (select a from t) with no schema binding",
    "call p(1)",
    "select a.b::varchar(256) as c from t",
    "merge into t using u on t.a = u.a when matched then delete when not matched then insert (a) values (1)",
    "vacuum full t to 99 percent",
    "create function f(int) returns int stable as $$ select $1 + 1 $$ language sql",
]


def found(sql: str) -> list[str]:
    return [finding.rule for finding in lint(sql)]


@pytest.mark.parametrize(("rule", "sql"), BAD)
def test_a_rule_finds_bad_statements(rule: str, sql: str) -> None:
    assert rule in found(sql)
    assert rule in found(sql.replace(" ", "\n -- a comment\n").replace("(", " /* another */ ( ").upper())


@pytest.mark.parametrize("sql", GOOD)
def test_good_statements_have_no_findings(sql: str) -> None:
    assert [str(finding) for finding in lint(sql)] == []


@pytest.mark.parametrize("sql", ONLY_ON_REDSHIFT)
def test_statements_that_only_redshift_has_are_accepted(sql: str) -> None:
    assert [str(finding) for finding in lint(sql)] == []


HIDING_PLACES: list[Callable[[str], str]] = [
    lambda sql: f"select 1 as a -- {sql}",
    lambda sql: f"select 1 as a /* {sql} /* {sql} */ */ from t",
    lambda sql: "select '" + sql.replace("'", "''").replace("\\", "") + "' as a from t",
    lambda sql: f"comment on table t is $text${sql}$text$",
    lambda sql: 'select "' + sql.replace('"', '""')[:99] + '" as a from t',
]


@pytest.mark.parametrize("sql", [sql for _, sql in BAD])
def test_strings_comments_and_quoted_names_are_ignored(sql: str) -> None:
    assert [findings for hide in HIDING_PLACES if (findings := found(hide(sql)))] == []


@pytest.mark.parametrize("word", [word for words in RESERVED.values() for word in words])
def test_reserved_words_are_found_as_aliases_unless_quoted(word: str) -> None:
    assert "reserved-name" in found(f"select a as {word} from t")
    assert found(f'select a as "{word}", t."{word}" from t') == []


def test_a_finding_has_place_reason_and_remedy() -> None:
    (finding,) = lint("select a\nfrom t\norder by b,\n    c desc", "models/a.sql")
    assert str(finding) == (
        "models/a.sql:4:7: nulls-order: `desc`: descending, Redshift puts nulls first and DuckDB last."
        " Instead: desc nulls last, or desc nulls first."
    )


def test_a_finding_names_the_function_to_use() -> None:
    (finding,) = lint("select\n    strftime(a, '%Y') as b from t")
    assert (finding.line, finding.column, finding.text, finding.remedy) == (2, 5, "strftime", "to_char")


def test_all_findings_of_all_statements_are_listed_in_order() -> None:
    assert found(
        "explain select now() from t; select a / b from t where c ilike any ('x'); update t set a = 1 limit 2"
    ) == [
        "leader-node",
        "division",
        "like-any",
        "limit-in-change",
    ]


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("delete from s.days where user_key in (select user_key from u)", ["s.days"]),
        ("delete from s.days where (date in (select date from u) and a = 1)", ["s.days"]),
        (
            'select a from other where a in (select b from "s"."days" as d where d.b in (select b from u))',
            ['"s"."days"'],
        ),
        ("with d as (select * from days), e as (select a from d where a in (select a from u)) select a from e", ["d"]),
        ("select a from u inner join days on u.b = days.b where u.a in (select a from v)", ["days"]),
        ("delete from s.days where date in (cast('2018-10-01' as date)) and (a, date) in (select a, date from u)", []),
        ("delete from days where false and a in (select a from u)", []),
        (
            "select a from days where (days.date between '2018' and '2019' or b) and a in (select a from u)",
            [],
        ),
        ("with d as (select * from days) select a from d where d.date > '2018' and a in (select a from u)", []),
        ("with days as (select a from other) select a from days where a in (select a from u)", []),
        ("delete from days", []),
        ("delete from other where date in (select date from days where a = 1)", []),
        ("select a from days left join u on days.a = u.a where u.a is null", []),
    ],
)
def test_blocks_of_a_large_table_are_skipped(sql: str, texts: list[str]) -> None:
    findings = lint(sql, sort_keys={"days": "date"})
    assert [(finding.rule, finding.text) for finding in findings] == [("sort-key", text) for text in texts]


def test_statements_that_read_only_the_catalog_are_not_checked() -> None:
    assert found("with a as (select oid from pg_class) select age(now()), x::text from a join svv_tables on true") == []
    assert "leader-node" in found("select now() from pg_class cross join staging.events")


def test_parameters_of_a_driver_are_not_quotes() -> None:
    assert found("insert into t values ($1,$2),($3,$4)") == []


def test_invalid_sql_names_the_file() -> None:
    with pytest.raises(ValueError, match=r"^models/a.sql: invalid SQL: "):
        lint("select 'a", "models/a.sql")


def test_the_command_reads_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.sql", tmp_path / "models" / "bad.sql"
    bad.parent.mkdir()
    good.write_text("select 1 as a")
    bad.write_text("select now() from t")
    assert main([str(good)]) == 0
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith(f"{bad}:1:8: leader-node: `now`: ")
    assert main([str(tmp_path / "no.sql")]) == 2
    assert main([]) == 2
