"""A lint for SQL that DuckDB and PostgreSQL accept, but Redshift refuses, halts on or reads differently.

It reads tokens rather than a syntax tree: a rule of sqlfluff needs an installed plugin and a full parse, whose redshift
grammar stops at some of what it should find. sqlglot's tokenizer is fast and knows Redshift's strings and comments.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import TokenError
from sqlglot.tokens import Token

HERE = Path(__file__).parent
HIDDEN = "(…)"
# As many tokens before a parenthesis as it takes to see `sum (…) ignore nulls over (`.
HEAD = 5
TYPE = r"(?::: |cast \( (?:.* )?as |add column \S+ )"
CATALOG = re.compile(r"(?:pg_|svv_|svl_|stv_|stl_|sys_|information_schema\.|\"?pg_catalog\"?\.)")


@dataclass(frozen=True)
class Finding:
    """One breach of a rule; lines and columns count from 1."""

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
class Piece:
    """A token, a dotted name, or (…) for what stands in parentheses; ``start`` and ``end`` are offsets in the SQL."""

    text: str
    start: int
    end: int
    inner: "Level | None" = None


@dataclass
class Level:
    """What stands between two parentheses, with them, or the statements themselves."""

    parent: "Level | None" = None
    place: int = 0
    """The parent's piece that this is."""
    pieces: list[Piece] = field(default_factory=list)

    @cached_property
    def words(self) -> list[str]:
        return [piece.text for piece in self.pieces]

    @cached_property
    def view(self) -> "View":
        return View(self, self.pieces)

    @cached_property
    def whole_view(self) -> "View":
        return View(self, list(self.deep()))

    def deep(self) -> Iterator[Piece]:
        """All tokens, those in inner parentheses too."""
        for piece in self.pieces:
            if piece.inner:
                yield from piece.inner.deep()
            else:
                yield piece

    @cached_property
    def is_query(self) -> bool:
        return "select" in self.words

    @cached_property
    def tables(self) -> set[str]:
        """Names by which a query's own tables can be called."""
        names = set()
        is_from = False
        for number, word in enumerate(self.words):
            before = self.words[number - 1] if number else ""
            if before in ("from", "join", "update", "into") or (is_from and before == ","):
                alias = self.words[number + 1 : number + 3]
                alias = alias[1:] if alias[:1] == ["as"] else alias[:1]
                names |= {name.strip('"') for name in (word.rpartition(".")[2], *alias)}
            if word in ("from", "where", "select", "on", "group by", "order by"):
                is_from = word == "from"
        return names


class View:
    """A level as rules over text see it, with the tokens before its parenthesis."""

    def __init__(self, level: Level, pieces: list[Piece]) -> None:
        head = level.parent.pieces[max(0, level.place - HEAD) : level.place] if level.parent else []
        # A head that is cut off begins no statement.
        cut = [Piece("…", 0, 0)] if level.place > HEAD else []
        self.head = [piece.text for piece in head]
        if self.head[-2:-1] in (["table"], ["exists"]):
            pieces = list(_with_casts(pieces))
        self.text = " ".join(piece.text for piece in (*cut, *head, *pieces))
        self._pieces = [*cut, *head, *pieces]
        lengths = (len(piece.text) + 1 for piece in self._pieces)
        self._starts = [0, *accumulate(lengths)]

    def hit(self, start: int, end: int) -> "Hit":
        """From offsets in the text to offsets in the SQL."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        return Hit(self._pieces[first].start, self._pieces[last].end)


def _with_casts(columns: list[Piece]) -> Iterator[Piece]:
    """A table's columns with their types as if they were cast to them, `( a :: bigint , b :: text )`."""
    before = ""
    for piece in columns:
        yield piece
        if before in ("(", ","):
            yield Piece("::", piece.start, piece.end)
        before = piece.text


@dataclass(frozen=True)
class Hit:
    """What a rule found: offsets in the SQL, and a remedy of its own, if it has one."""

    start: int
    end: int
    remedy: str = ""


@dataclass(frozen=True)
class Rule:
    name: str
    why: str
    remedy: str
    find: Callable[[Level], Iterator[Hit]]


def lint(sql: str, file: str = "<sql>") -> list[Finding]:
    """Hold statements against every rule; what stands in strings, comments and quoted names is left alone.

    Raises ValueError, naming the file, where a string or comment has no end.
    """
    try:
        # The tokenizer takes two of a driver's parameters, ($1,$2), for the quotes of a text.
        tokens = Redshift.Tokenizer().tokenize(re.sub(r"\$(?=\d)", "@", sql))
    except TokenError as error:
        raise ValueError(f"{file}: this is no SQL: {error}") from error
    found: dict[tuple[str, int], Finding] = {}
    statements = (levels for levels in _statements(_pieces(sql, tokens)) if not _is_of_catalog(levels[-1]))
    for level in (level for statement in statements for level in statement):
        for rule in RULES:
            for hit in rule.find(level):
                line, column = sql.count("\n", 0, hit.start) + 1, hit.start - sql.rfind("\n", 0, hit.start)
                text = " ".join(sql[hit.start : hit.end].split())
                remedy = hit.remedy or rule.remedy
                found.setdefault(
                    (rule.name, hit.start), Finding(rule.name, file, line, column, text, rule.why, remedy)
                )
    return sorted(found.values(), key=lambda finding: (finding.line, finding.column, finding.rule))


# ---------- the SQL as pieces and levels


def _pieces(sql: str, tokens: list[Token]) -> Iterator[Piece]:
    """One piece for each token, or for several where dots join them to one name."""
    start = end = None
    for number, token in enumerate(tokens):
        start = token.start if start is None else start
        end = token.end + 1
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        touches = following is not None and following.start == end
        if touches and following and "." in (sql[token.start : end], sql[following.start : following.end + 1]):
            continue
        # Blanks would end a literal or a quoted name, and a phrase such as `order by` is one token.
        text = sql[start:end]
        text = re.sub(r"\s", "_", text) if re.search("['\"$]", text) else " ".join(text.lower().split())
        yield Piece(text, start, end)
        start = None


def _statements(pieces: Iterator[Piece]) -> Iterator[list[Level]]:
    """All levels of parentheses of each statement, the outermost last."""
    levels: list[Level] = []
    level = Level()
    for piece in pieces:
        if piece.text == ";" and not level.parent:
            yield [*levels, level]
            levels, level = [], Level()
        elif piece.text == "(":
            inner = Level(level, len(level.pieces), [piece])
            level.pieces.append(Piece(HIDDEN, piece.start, piece.end, inner))
            level = inner
        elif piece.text == ")" and level.parent:
            level.pieces.append(piece)
            levels.append(level)
            level = level.parent
            hidden = level.pieces[-1]
            level.pieces[-1] = Piece(HIDDEN, hidden.start, piece.end, hidden.inner)
        else:
            level.pieces.append(piece)
    while level.parent:
        levels.append(level)
        level = level.parent
    yield [*levels, level]


def _is_of_catalog(statement: Level) -> bool:
    """Whether it reads the catalog and nothing else: that is PostgreSQL's business, and runs on the leader node."""
    words = [piece.text for piece in statement.deep()]
    ctes = {name for name, *rest in zip(words, words[1:], words[2:], strict=False) if rest == ["as", "("]}
    tables = {name for word, name in pairwise(words) if word in ("from", "join")} - ctes - {"("}
    return words[:1] in (["select"], ["with"]) and bool(tables) and all(CATALOG.match(table) for table in tables)


# ---------- rules over text


def _by_text(pattern: str, whole: bool) -> Callable[[Level], Iterator[Hit]]:
    expression = re.compile(rf"(?<!\S)(?:{pattern.replace('{type}', TYPE)})(?!\S)")

    def find(level: Level) -> Iterator[Hit]:
        view = level.whole_view if whole else level.view
        for match in expression.finditer(view.text):
            yield view.hit(*(match.span("at") if match.groupdict().get("at") else match.span()))

    return find


# ---------- rules over structure


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z_][\w$.]*", text) is not None


def _calls(level: Level) -> Iterator[tuple[int, str]]:
    """Where functions are called, and which; names without parentheses that are functions all the same, too."""
    words = level.words
    for number, word in enumerate(words):
        if not _is_name(word):
            continue
        following = words[number + 1 : number + 4]
        before = words[number - 1] if number else ""
        is_cte = following[1:3] == ["as", HIDDEN]
        if following[:1] == [HIDDEN]:
            if word not in FUNCTIONS["syntax"] and before not in FUNCTIONS["before_names"] and not is_cte:
                yield number, word.rpartition(".")[2]
        elif word in ("current_timestamp", "current_time", "localtime", "localtimestamp", "current_schema"):
            yield number, word


def _unknown_function(level: Level) -> Iterator[Hit]:
    for number, name in _calls(level):
        if name not in KNOWN_FUNCTIONS:
            remedy = FUNCTIONS["instead"].get(name, "a function of AWS's reference, or a macro for each engine")
            yield Hit(level.pieces[number].start, level.pieces[number].end, remedy)


def _leader_node(level: Level) -> Iterator[Hit]:
    for number, name in _calls(level):
        if name in FUNCTIONS["leader_node"]:
            yield Hit(level.pieces[number].start, level.pieces[number].end, FUNCTIONS["leader_node"][name])


def _reserved_name(level: Level) -> Iterator[Hit]:
    is_cast = level.view.head[-1:] in (["cast"], ["try_cast"])
    for number, piece in enumerate(level.pieces):
        before = level.words[number - 1] if number else ""
        is_alias = before == "as" and not is_cast and piece.text in RESERVED["as_aliases"]
        is_name = before != "encode" and any(part in RESERVED["as_names"] for part in piece.text.split("."))
        if is_alias or is_name:
            yield Hit(piece.start, piece.end, f'"{piece.text}", or another name')


def _long_name(level: Level) -> Iterator[Hit]:
    for piece in level.pieces:
        if piece.text[0] not in "'$" and any(len(part.encode()) > 127 for part in re.split(r'["."]', piece.text)):
            yield Hit(piece.start, piece.end)


def _division(level: Level) -> Iterator[Hit]:
    """Divisions of which neither side is seen to be in double precision."""

    def is_double(cast: int) -> bool:
        inner = level.pieces[cast + 1].inner if 0 <= cast < len(level.pieces) - 1 else None
        return level.words[cast] == "cast" and inner is not None and inner.words[-2:] == ["double precision", ")"]

    for number, word in enumerate(level.words):
        if word == "/" and level.words[number - 2 : number] != ["::", "double precision"]:
            if not is_double(number - 2) and not is_double(number + 1):
                yield Hit(level.pieces[number].start, level.pieces[number].end)


def _lateral_alias(level: Level) -> Iterator[Hit]:
    """Aliases that are read again further on in the same list, and are no columns of the source."""
    if not level.is_query:
        return
    known: set[str] = set()
    aliases: set[str] = set()
    alias = ""
    is_list = False
    for number, piece in enumerate(level.pieces):
        if piece.text == "select":
            known, aliases, alias, is_list = set(), set(), "", True
        elif piece.text in ("from", "union", "union all", "except", "intersect", ";"):
            is_list = False
        elif is_list and piece.text == ",":
            aliases |= {alias} - known
            alias = ""
        elif is_list and level.words[number - 1] == "as":
            alias = piece.text
        elif is_list:
            for name in _columns(piece, level.words[number + 1 : number + 2]):
                if name.text in aliases:
                    yield Hit(name.start, name.end)
                known.add(name.text)


def _columns(piece: Piece, following: list[str]) -> Iterator[Piece]:
    """Names without a table that are read as columns, in inner parentheses too, but not in inner queries."""
    if piece.inner is None:
        if _is_name(piece.text) and "." not in piece.text and not (following and following[0][0] in "('"):
            yield piece
    elif not piece.inner.is_query:
        words = piece.inner.words
        for number, inner in enumerate(piece.inner.pieces):
            if words[number - 1] not in ("as", "::"):
                yield from _columns(inner, words[number + 1 : number + 2])


def _outer_columns(level: Level) -> Iterator[tuple[Piece, int, list[str]]]:
    """A query's columns of tables further out, how many queries further, and the words around each."""
    if not level.parent or not level.is_query:
        return

    def look(here: Level) -> Iterator[tuple[Piece, int, list[str]]]:
        for number, piece in enumerate(here.pieces):
            if piece.inner and not piece.inner.is_query:
                yield from look(piece.inner)
            table = piece.text.split(".")[0].strip('"')
            if re.fullmatch(r'"?\w+"?\."?\w+"?', piece.text) and table not in level.tables:
                outer, distance = level.parent, 0
                while outer:
                    distance += outer.is_query or outer.parent is None
                    if table in outer.tables:
                        yield piece, distance, here.words[max(0, number - 1) : number + 2]
                        break
                    outer = outer.parent

    yield from look(level)


COMPARISONS = {"<", ">", "<=", ">=", "<>", "!="}


def _correlated_inequality(level: Level) -> Iterator[Hit]:
    for piece, _, around in _outer_columns(level):
        if COMPARISONS & set(around):
            yield Hit(piece.start, piece.end)


def _correlated_too_far(level: Level) -> Iterator[Hit]:
    """References over a query, from a condition of an outer join, or from a query with a window."""
    for piece, distance, _ in _outer_columns(level):
        before = [word for word in (level.parent.words[: level.place] if level.parent else [])]
        clause = next((word for word in reversed(before) if word in ("on", "where", "select", "having")), "")
        if distance > 1 or clause == "on" or "over" in level.words:
            yield Hit(piece.start, piece.end)


def _read(name: str) -> dict[str, Any]:
    with (HERE / name).open("rb") as file:
        return tomllib.load(file)


RESERVED = _read("reserved.toml")
FUNCTIONS = _read("functions.toml")
KNOWN_FUNCTIONS = {name for chapter in FUNCTIONS.values() for name in chapter} - set(FUNCTIONS["instead"])
STRUCTURE = {
    "correlated-inequality": _correlated_inequality,
    "correlated-too-far": _correlated_too_far,
    "division": _division,
    "lateral-alias": _lateral_alias,
    "leader-node": _leader_node,
    "long-name": _long_name,
    "reserved-name": _reserved_name,
    "unknown-function": _unknown_function,
}
TABLE: list[dict[str, Any]] = _read("rules.toml")["rule"]
"""The rules as they stand in their file, with the statements that they find and the remedies that they do not."""
RULES = [
    Rule(
        rule["name"],
        rule["why"],
        rule["remedy"],
        _by_text(rule["finds"], rule.get("whole", False)) if "finds" in rule else STRUCTURE[rule["name"]],
    )
    for rule in TABLE
]
