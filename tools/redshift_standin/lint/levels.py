"""SQL as the rules read it: pieces, nested levels of parentheses, and these levels as text."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar

from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import TokenError


class Tokenizer(Redshift.Tokenizer):
    COMMANDS: ClassVar[set[Any]] = set()
    """Statements whose rest is not tokenized: none."""


HIDDEN = "(…)"
# Tokens before a parenthesis that a rule can see: enough for `sum (…) ignore nulls over (`.
HEAD = 5


@dataclass(frozen=True)
class Hit:
    """What a rule found: offsets in the SQL, and a specific remedy if there is one."""

    start: int
    end: int
    remedy: str = ""


@dataclass(frozen=True)
class Piece:
    """A token, a dotted name, or (…) for the content of parentheses; ``start`` and ``end`` are offsets in the SQL."""

    text: str
    start: int
    end: int
    inner: "Level | None" = None


@dataclass
class Level:
    """A pair of parentheses with its content, or the whole statement."""

    parent: "Level | None" = None
    place: int = 0
    """Index of this level among the pieces of its parent."""
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
        """Yield all tokens, including those in inner parentheses."""
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
        """Names and aliases of the tables that the query itself reads."""
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
    """A level as text for the pattern rules, with the tokens before its parenthesis."""

    def __init__(self, level: Level, pieces: list[Piece]) -> None:
        head = level.parent.pieces[max(0, level.place - HEAD) : level.place] if level.parent else []
        # A head that is cut off is not the beginning of a statement.
        cut = [Piece("…", 0, 0)] if level.place > HEAD else []
        self.head = [piece.text for piece in head]
        if self.head[-2:-1] in (["table"], ["exists"]):
            pieces = list(_with_casts(pieces))
        self.text = " ".join(piece.text for piece in (*cut, *head, *pieces))
        self._pieces = [*cut, *head, *pieces]
        lengths = (len(piece.text) + 1 for piece in self._pieces)
        self._starts = [0, *accumulate(lengths)]

    def hit(self, start: int, end: int) -> "Hit":
        """Convert offsets in the text to offsets in the SQL."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        return Hit(self._pieces[first].start, self._pieces[last].end)


def _with_casts(columns: list[Piece]) -> Iterator[Piece]:
    """Yield a table's columns as casts to their types, `( a :: bigint , b :: text )`."""
    before = ""
    for piece in columns:
        yield piece
        if before in ("(", ","):
            yield Piece("::", piece.start, piece.end)
        before = piece.text


def _pieces(sql: str) -> Iterator[Piece]:
    """Yield one piece per token, or per dotted name."""
    try:
        # The tokenizer would read two parameters of a driver, ($1,$2), as quotes of a text.
        tokens = Tokenizer().tokenize(re.sub(r"\$(?=\d)", "@", sql))
    except TokenError as error:
        raise ValueError(f"invalid SQL: {error}") from error
    start = end = None
    for number, token in enumerate(tokens):
        start = token.start if start is None else start
        end = token.end + 1
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        touches = following is not None and following.start == end
        if touches and following and "." in (sql[token.start : end], sql[following.start : following.end + 1]):
            continue
        # Blanks separate pieces, so a literal or quoted name has none; a phrase such as `order by` is one token.
        text = sql[start:end]
        text = re.sub(r"\s", "_", text) if re.search("['\"$]", text) else " ".join(text.lower().split())
        yield Piece(text, start, end)
        start = None


def statements(sql: str) -> Iterator[list[Level]]:
    """Yield all levels of parentheses of each statement, the outermost last.

    Raises ValueError if a string or comment is not closed.
    """
    levels: list[Level] = []
    level = Level()
    for piece in _pieces(sql):
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
