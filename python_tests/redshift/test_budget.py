"""What a run sends to Redshift beside its work: a statement is a round trip, a connection a login."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from python_tests.conftest import REDSHIFT_DATABASE, RedshiftProject
from python_tests.redshift.test_compiled_models import DBT_COMMENT
from tools.redshift_standin.tokens import first_words

# Of a run that finds nothing to do, and what each data test of a build adds to it.
STATEMENTS, STATEMENTS_OF_A_TEST = 265, 3
CONNECTIONS, CONNECTIONS_OF_A_TEST = 31, 1
BUILD = ("build", "--exclude-resource-type", "seed", "unit_test")
REPLACING = {"alter", "drop", "comment", "grant", "revoke"}
VIEW = "model.flyer_analytics.int_flyer_users"


class Sent:
    """What dbt sends from now on, by kind."""

    def __init__(self, redshift: RedshiftProject) -> None:
        self._standin = redshift.standin
        self._first = len(self._standin.statements_of(REDSHIFT_DATABASE))
        self._connections_before = self._standin.connections_of(REDSHIFT_DATABASE)

    @property
    def statements(self) -> list[str]:
        sent = self._standin.statements_of(REDSHIFT_DATABASE)[self._first :]
        return [DBT_COMMENT.sub("", sql).strip() for sql in sent]

    @property
    def connections(self) -> int:
        return self._standin.connections_of(REDSHIFT_DATABASE) - self._connections_before

    def __str__(self) -> str:
        kinds = Counter(first_words(sql, 2) for sql in self.statements).most_common()
        total = f"{len(self.statements)} statements on {self.connections} connections"
        return "\n".join([total, *(f"{count:5} {kind}" for kind, count in kinds)])


def test_a_run_keeps_within_its_budget(redshift: RedshiftProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_TEST_SCOPE", "touched")
    redshift.dbt("run")
    for command in (("run",), BUILD):
        sent = Sent(redshift)
        results = redshift.dbt(*command).result
        tests = [result for result in results if result.node.resource_type == "test"]  # type: ignore[union-attr]
        assert len(sent.statements) <= STATEMENTS + STATEMENTS_OF_A_TEST * len(tests), str(sent)
        assert sent.connections <= CONNECTIONS + CONNECTIONS_OF_A_TEST * len(tests), str(sent)
        assert not {first_words(sql, 1) for sql in sent.statements} & REPLACING, str(sent)
        questions = Counter(
            sql for sql in sent.statements if 'from "flyer".' in sql and first_words(sql, 1) == "select"
        )
        assert questions.most_common(1)[0][1] == 1, questions.most_common(1)


def test_a_view_is_made_again_if_it_would_differ(redshift: RedshiftProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_made(*options: str) -> bool:
        sent = Sent(redshift)
        redshift.dbt("run", "--select", VIEW.split(".")[-1], *options)
        return any(first_words(sql, 2) == "create view" for sql in sent.statements)

    redshift.dbt("run")
    assert not is_made()
    assert is_made("--full-refresh")

    node, nodes = redshift.manifest.nodes[VIEW], redshift.manifest.flat_graph["nodes"]
    parent: dict[str, Any] = nodes["model.flyer_analytics.stg_flyer_app__users"]
    changes: dict[str, Callable[[], None]] = {
        "its query": lambda: monkeypatch.setattr(node, "raw_code", node.raw_code + "\nwhere true"),
        "a model's text": lambda: monkeypatch.setitem(parent, "checksum", {"name": "sha256", "checksum": "other"}),
        "its description": lambda: monkeypatch.setattr(node, "description", "Another."),
        "who may read it": lambda: monkeypatch.setattr(node.config, "grants", {"select": ["user:dbt"]}),
    }
    for what, change in changes.items():
        change()
        assert is_made(), what
        assert not is_made(), what
    redshift.query("drop view intermediate.int_flyer_users cascade")
    assert is_made()
