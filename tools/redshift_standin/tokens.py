"""SQL as tokens, as detailed as the edits need: words, strings, comments, quoted names, numbers and marks."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple


class Kind(Enum):
    BLANK = auto()
    """Blanks and comments."""
    TEXT = auto()
    """A string, quoted or between dollar signs."""
    QUOTED = auto()
    """A name in double quotes."""
    WORD = auto()
    NUMBER = auto()
    MARK = auto()


class Token(NamedTuple):
    kind: Kind
    text: str
    word: str
    """A word in lower case, a mark unchanged, and empty for a blank, a string or a quoted name."""

    @classmethod
    def of(cls, kind: Kind, text: str) -> "Token":
        return cls(kind, text, "" if kind in WORDLESS else text.lower())

    @property
    def name(self) -> str:
        """The name as Redshift resolves it: it folds quoted names too. Empty if the token is not a name."""
        if self.kind is Kind.QUOTED:
            return self.text[1:-1].replace('""', '"').lower()
        return self.word if self.kind is Kind.WORD else ""


def mark(text: str) -> Token:
    """Text inserted by an edit, which later edits do not split."""
    return Token.of(Kind.MARK, text)


WORDLESS = (Kind.BLANK, Kind.TEXT, Kind.QUOTED)
PATTERN = re.compile(
    r"""
    (?P<BLANK>\s+ | --[^\n]* | /\*)
  | (?P<TEXT>'(?:[^'\\]|''|\\.)*' | (?P<dollar>\$(?:[a-z_]\w*)?\$).*?(?P=dollar))
  | (?P<QUOTED>"(?:[^"]|"")*")
  | (?P<WORD>[^\W\d][\w$]*)
  | (?P<NUMBER>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)
  | (?P<MARK>::|\|\||<=|>=|<>|!=|.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def tokens(sql: str) -> list[Token]:
    """Split ``sql``. Joined, the texts of the tokens are ``sql``."""
    return list(each_token(sql))


def each_token(sql: str) -> Iterator[Token]:
    place = 0
    while match := PATTERN.match(sql, place):
        text = match.group()
        if text == "/*":
            text = sql[place : _end_of_comment(sql, place)]
        yield Token.of(Kind[match.lastgroup or ""], text)
        place += len(text)


def _end_of_comment(sql: str, start: int) -> int:
    """Return the position after a comment, which may contain nested comments."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(sql)


def text_of(parts: list[Token]) -> str:
    return "".join(token.text for token in parts)


def without_blanks(parts: Iterable[Token]) -> list[Token]:
    return [token for token in parts if token.kind is not Kind.BLANK]


def quoted(text: str) -> str:
    """Return ``text`` as a literal in which a backslash escapes, as on Redshift."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def first_words(sql: str, count: int) -> str:
    """Return the first words of a statement in lower case, without comments and blanks."""
    words = (token.word for token in each_token(sql) if token.kind is not Kind.BLANK)
    return " ".join(islice(words, count))
