"""All SQL for Redshift passes the lint: what is sent when models are built, and what only compiles.

Stands behind the other tests on Redshift, so that the statements of their builds and increments are read too.
"""

import re
from pathlib import Path

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from python_tests.conftest import REDSHIFT_DATABASE, RedshiftProject
from tools.redshift_standin.lint import Finding, lint

STATEMENTS_OF_A_BUILD = ("create  table", "create view", "comment on", "insert into", "delete from")
DBT_COMMENT = re.compile(r'/\* \{"app": "dbt".*?"(?:node_id|connection_name)": "(?P<node>[^"]*)"\} \*/')


# Users are numbered load by load, and actions are few.
NUMBERED_AS_A_WHOLE = {"stg_flyer_app__users", "stg_flyer_app__actions", "int_flyer_actions"}


def sort_keys(manifest: Manifest) -> dict[str, str]:
    """The first column of the sort key of each table that grows with the events."""
    sorts = {
        node.alias: node.config.get("sort")
        for node in manifest.nodes.values()
        if isinstance(node, ModelNode)
        and node.config.materialized == "incremental"
        and node.config.incremental_strategy != "replace_all"
    }
    keys = {name: sort if isinstance(sort, str) else sort[0] for name, sort in sorts.items()}
    return {name: key for name, key in keys.items() if key in ("date", "_loaded_at")} | {"flyer_events": "_loaded_at"}


def is_a_fault(finding: Finding) -> bool:
    if finding.rule == "sort-key":
        # To erase a user or to compare all rows, an operation reads everything, on request.
        return not finding.file.startswith("macro_")
    return finding.rule != "unpartitioned-number" or finding.file.split(".")[-1] not in NUMBERED_AS_A_WHOLE


def findings_of(statements: list[str], keys: dict[str, str]) -> list[Finding]:
    """Statements that differ in numbers or in dbt's comment only are read once.

    Those of unit tests are dbt's own: it takes the types of their rows from PostgreSQL, which knows less of them.
    Queries that a test makes up (inline) are no part of the project.
    """
    distinct: dict[str, tuple[str, str]] = {}
    for sql in statements:
        comment = DBT_COMMENT.match(sql)
        node = comment["node"] if comment else "dbt"
        if not node.startswith(("unit_test.", "sql_operation.")):
            body = DBT_COMMENT.sub("", sql)
            distinct.setdefault(re.sub(r"\d+", "0", body), (body, node))
    return [finding for sql, node in distinct.values() for finding in lint(sql, node, keys) if is_a_fault(finding)]


def test_what_is_sent_to_redshift(redshift: RedshiftProject) -> None:
    sent = redshift.standin.statements_of(REDSHIFT_DATABASE)
    if not all(any(words in sql for sql in sent) for words in STATEMENTS_OF_A_BUILD):
        for _ in ("whole", "as an increment"):
            redshift.dbt("run")
        sent = redshift.standin.statements_of(REDSHIFT_DATABASE)
    assert [words for words in STATEMENTS_OF_A_BUILD if not any(words in sql for sql in sent)] == []
    findings = findings_of(sent, sort_keys(redshift.manifest))
    assert not findings, "\n".join(map(str, findings))


def test_what_compiles_for_redshift(redshift: RedshiftProject, tmp_path: Path) -> None:
    """Analyses and data tests too, which a run does not send."""
    redshift.dbt("compile", "--target-path", str(tmp_path))
    files = sorted((tmp_path / "compiled").rglob("*.sql"))
    assert {"analyses", "models", "tests"} < {part for file in files for part in file.parts}
    keys = sort_keys(redshift.manifest)
    findings = [finding for file in files for finding in lint(file.read_text(), file.stem, keys) if is_a_fault(finding)]
    assert not findings, "\n".join(map(str, findings))


def test_a_finding_names_the_node_that_sent_it() -> None:
    sent = '/* {{"app": "dbt", "node_id": "{}.a"}} */\n    select a from t order by a desc limit {}'
    findings = findings_of([sent.format("model", 1), sent.format("model", 2), sent.format("unit_test", 3)], {})
    assert [(finding.file, finding.line, finding.rule) for finding in findings] == [("model.a", 2, "nulls-order")]
