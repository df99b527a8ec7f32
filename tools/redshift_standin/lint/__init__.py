"""A lint for SQL that DuckDB and PostgreSQL accept, but Redshift refuses, halts on or interprets differently.

It reads tokens, not a syntax tree: a sqlfluff rule needs an installed plugin and a full parse, and its redshift grammar
fails on some of the SQL that the rule should find. sqlglot's tokenizer is fast and knows Redshift's strings and
comments.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tools.redshift_standin.lint.levels import Hit, Level, statements
from tools.redshift_standin.lint.sort_keys import reads_all_blocks
from tools.redshift_standin.lint.structure import STRUCTURE
from tools.redshift_standin.lint.tables import read

TYPE = r"(?::: |cast \( (?:.* )?as |add column \S+ )"
CATALOG = re.compile(r"(?:pg_|svv_|svl_|stv_|stl_|sys_|information_schema\.|\"?pg_catalog\"?\.)")


@dataclass(frozen=True)
class Finding:
    """One violation of a rule; lines and columns count from 1."""

    rule: str
    file: str
    line: int
    column: int
    text: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule}: `{self.text}`: {self.why}. Instead: {self.remedy}."


@dataclass(frozen=True)
class Rule:
    name: str
    why: str
    remedy: str
    find: Callable[[Level], Iterator[Hit]]


SORT_KEY = (
    "sort-key",
    "Redshift reads all blocks of the table, since no literal limits its sort key",
    "also a condition on the sort key, with literals",
)


def lint(sql: str, file: str = "<sql>", sort_keys: Mapping[str, str] | None = None) -> list[Finding]:
    """Check statements against every rule, ignoring strings, comments and quoted names.

    ``sort_keys`` are the first columns of the sort keys of large tables, by the tables' names.

    Raises ValueError with the name of the file if a string or comment is not closed.
    """
    found: dict[tuple[str, int], Finding] = {}
    try:
        read_statements = [levels for levels in statements(sql) if not _is_of_catalog(levels[-1])]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error

    def add(name: str, why: str, remedy: str, hit: Hit) -> None:
        line, column = sql.count("\n", 0, hit.start) + 1, hit.start - sql.rfind("\n", 0, hit.start)
        text = " ".join(sql[hit.start : hit.end].split())
        found.setdefault((name, hit.start), Finding(name, file, line, column, text, why, hit.remedy or remedy))

    for levels in read_statements:
        for rule in RULES:
            for level in levels:
                for hit in rule.find(level):
                    add(rule.name, rule.why, rule.remedy, hit)
        for hit in reads_all_blocks(levels, sort_keys or {}):
            add(*SORT_KEY, hit)
    return sorted(found.values(), key=lambda finding: (finding.line, finding.column, finding.rule))


def _is_of_catalog(statement: Level) -> bool:
    """Return whether the statement reads only the catalog: such a query runs on the leader node."""
    words = [piece.text for piece in statement.deep()]
    ctes = {name for name, *rest in zip(words, words[1:], words[2:], strict=False) if rest == ["as", "("]}
    tables = {name for word, name in pairwise(words) if word in ("from", "join")} - ctes - {"("}
    return words[:1] in (["select"], ["with"]) and bool(tables) and all(CATALOG.match(table) for table in tables)


def _by_text(pattern: str, whole: bool) -> Callable[[Level], Iterator[Hit]]:
    expression = re.compile(rf"(?<!\S)(?:{pattern.replace('{type}', TYPE)})(?!\S)", re.IGNORECASE)

    def find(level: Level) -> Iterator[Hit]:
        view = level.whole_view if whole else level.view
        for match in expression.finditer(view.text):
            yield view.hit(*(match.span("at") if match.groupdict().get("at") else match.span()))

    return find


TABLE: list[dict[str, Any]] = read("rules.toml")["rule"]
"""The rules of the file, with their bad and good statements."""
RULES = [
    Rule(
        rule["name"],
        rule["why"],
        rule["remedy"],
        _by_text(rule["finds"], rule.get("whole", False)) if "finds" in rule else STRUCTURE[rule["name"]],
    )
    for rule in TABLE
]
