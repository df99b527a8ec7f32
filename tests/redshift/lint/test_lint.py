"""Each rule fires on the statements that its table calls bad, and none fires on the remedies."""

import pytest

from tests.redshift.lint import TABLE, lint

BAD = [(rule["name"], sql) for rule in TABLE for sql in rule["bad"]]
GOOD = [(rule["name"], sql) for rule in TABLE for sql in rule["good"]]


@pytest.mark.parametrize(("rule", "sql"), BAD)
def test_a_rule_finds_what_is_bad(rule: str, sql: str) -> None:
    assert rule in {finding.rule for finding in lint(sql)}


@pytest.mark.parametrize(("rule", "sql"), GOOD)
def test_nothing_is_found_in_a_remedy(rule: str, sql: str) -> None:  # noqa: ARG001
    assert [str(finding) for finding in lint(sql)] == []
