"""What dbt 2 reads otherwise than dbt 1, and without an error: docs/dbt-engines.md."""

from collections.abc import Iterator

import pytest
from dbt_common.clients.jinja import MaterializationExtension
from jinja2 import Environment, nodes
from jinja2.ext import Extension

from python_tests.conftest import PROJECT, Project

EXTENSIONS: list[str | type[Extension]] = ["jinja2.ext.do", MaterializationExtension]


def read_otherwise(template: str) -> Iterator[str]:
    """Yield what in a template dbt 2 reads otherwise, with its line."""
    parsed = Environment(autoescape=True, extensions=EXTENSIONS).parse(template)
    for comparison in parsed.find_all(nodes.Compare):
        if len(comparison.ops) > 1:
            yield f"{comparison.lineno}: a chain of comparisons"
    for call in parsed.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr == "format":
            yield f"{call.lineno}: the method format"
        if isinstance(call.node, nodes.Name) and call.node.name == "fromyaml":
            yield f"{call.lineno}: fromyaml, which leaves dates that do not exist as text"
    for filtered in parsed.find_all(nodes.Filter):
        if filtered.name == "sum" and {"attribute", "start"} <= {argument.key for argument in filtered.kwargs}:
            yield f"{filtered.lineno}: sum of an attribute with a start"


def test_macros_mean_the_same_in_both() -> None:
    files = sorted((PROJECT / "macros").rglob("*.sql"))
    assert files
    found = {file.name: list(read_otherwise(file.read_text(encoding="utf-8"))) for file in files}
    assert not {name: places for name, places in found.items() if places}


def test_what_differs_is_found() -> None:
    template = """{{ 1 <= n <= 3 }}
{{ "{:,}".format(n) }}
{{ fromyaml(text) }}
{{ rows | sum(attribute='n', start=[]) }}"""
    assert sorted(place[0] for place in read_otherwise(template)) == ["1", "2", "3", "4"]


def test_dbt_2_is_stopped(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt.context.base.dbt_version", "2.0.9")
    assert not project.try_dbt("run").success
    assert "dbt 2.0.9 cannot run this project yet: docs/dbt-engines.md" in "\n".join(project.messages)
