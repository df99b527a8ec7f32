"""Rules that text patterns cannot express: functions, names, divisions, aliases and correlated subqueries."""

import re
from collections.abc import Callable, Iterator

from tools.redshift_standin.lint.levels import HIDDEN, Hit, Level, Piece
from tools.redshift_standin.lint.tables import read

RESERVED = read("reserved.toml")
FUNCTIONS = read("functions.toml")
KNOWN_FUNCTIONS = {name for chapter in FUNCTIONS.values() for name in chapter} - set(FUNCTIONS["instead"])


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z_][\w$.]*", text) is not None


def _calls(level: Level) -> Iterator[tuple[int, str]]:
    """Yield position and name of each function call, including functions without parentheses."""
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
            remedy = FUNCTIONS["instead"].get(name, "a function in AWS's reference, or a macro per engine")
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
        is_option = before == "encode" or before.isdigit()  # vacuum t to 99 percent
        is_name = not is_option and any(part in RESERVED["as_names"] for part in piece.text.split("."))
        if is_alias or is_name:
            yield Hit(piece.start, piece.end, f'"{piece.text}", or another name')


def _long_name(level: Level) -> Iterator[Hit]:
    for piece in level.pieces:
        if piece.text[0] not in "'$" and any(len(part.encode()) > 127 for part in re.split(r'["."]', piece.text)):
            yield Hit(piece.start, piece.end)


def _division(level: Level) -> Iterator[Hit]:
    """Yield divisions where neither side is visibly double precision."""

    def is_double(cast: int) -> bool:
        inner = level.pieces[cast + 1].inner if 0 <= cast < len(level.pieces) - 1 else None
        return level.words[cast] == "cast" and inner is not None and inner.words[-2:] == ["double precision", ")"]

    for number, word in enumerate(level.words):
        is_cast = level.words[number - 2 : number] == ["::", "double precision"]
        if word == "/" and not (is_cast or is_double(number - 2) or is_double(number + 1)):
            yield Hit(level.pieces[number].start, level.pieces[number].end)


def _lateral_alias(level: Level) -> Iterator[Hit]:
    """Yield aliases that are read later in the same select list and are not columns of the source."""
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
    """Yield unqualified column names, also in inner parentheses, but not in inner queries."""
    if piece.inner is None:
        if _is_name(piece.text) and "." not in piece.text and not (following and following[0][0] in "('"):
            yield piece
    elif not piece.inner.is_query:
        words = piece.inner.words
        for number, inner in enumerate(piece.inner.pieces):
            if words[number - 1] not in ("as", "::"):
                yield from _columns(inner, words[number + 1 : number + 2])


def _outer_columns(level: Level) -> Iterator[tuple[Piece, int, list[str]]]:
    """Yield the columns of outer queries' tables, how many levels out they are, and the words around each."""
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
    """Yield references across a query, from the condition of an outer join, or from a query with a window."""
    for piece, distance, _ in _outer_columns(level):
        before = level.parent.words[: level.place] if level.parent else []
        clause = next((word for word in reversed(before) if word in ("on", "where", "select", "having")), "")
        if distance > 1 or clause == "on" or "over" in level.words:
            yield Hit(piece.start, piece.end)


AGGREGATES = {"any_value", "avg", "count", "listagg", "max", "median", "min", "stddev", "sum", "variance"}


def _has_query(level: Level) -> bool:
    return level.is_query or any(piece.inner and _has_query(piece.inner) for piece in level.pieces)


def _subquery_in_aggregate(level: Level) -> Iterator[Hit]:
    for number, name in _calls(level):
        arguments = level.pieces[number + 1 : number + 2]
        if name in AGGREGATES and arguments and arguments[0].inner and _has_query(arguments[0].inner):
            yield Hit(level.pieces[number].start, arguments[0].end)


STRUCTURE: dict[str, Callable[[Level], Iterator[Hit]]] = {
    "correlated-inequality": _correlated_inequality,
    "correlated-too-far": _correlated_too_far,
    "division": _division,
    "lateral-alias": _lateral_alias,
    "leader-node": _leader_node,
    "long-name": _long_name,
    "reserved-name": _reserved_name,
    "subquery-in-aggregate": _subquery_in_aggregate,
    "unknown-function": _unknown_function,
}
