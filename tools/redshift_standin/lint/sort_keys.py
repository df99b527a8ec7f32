"""The rule of sort keys: Redshift skips blocks of a table only where a literal limits its sort key.

A semi-join limits nothing before the table is read.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from tools.redshift_standin.lint.levels import Hit, Level, Piece

COMPARISONS = {"=", "<", ">", "<=", ">=", "between", "in"}


def reads_all_blocks(statement: list[Level], sort_keys: Mapping[str, str]) -> Iterator[Hit]:
    """Yield the tables of ``sort_keys``, from their names to their sort keys, of which all blocks are read.

    Looked at are deletes and queries with a semi-join; a CTE that only selects all columns of a table stands for it.
    """
    keys = dict(sort_keys)
    for cte, table in _ctes(statement):  # a CTE hides a table of its name
        keys.pop(cte, None)
        if table in sort_keys:
            keys[cte] = sort_keys[table]
    for level in statement:
        pieces = list(_own(level))
        is_delete = level.words[:1] == ["delete"] and "where" in level.words
        if is_delete or any(one.text == "in" and _is_query(other) for one, other in pairwise(pieces)):
            for before, piece in pairwise(pieces):
                table = _last(piece.text)
                if before.text in ("from", "join") and table in keys and not _is_limited(pieces, keys[table]):
                    yield Hit(piece.start, piece.end)


def _ctes(statement: list[Level]) -> Iterator[tuple[str, str]]:
    """Yield the names of CTEs, with the table of which they select everything, if so."""
    for level in statement:
        for name, keyword, query in zip(level.pieces, level.pieces[1:], level.pieces[2:], strict=False):
            if keyword.text == "as" and query.inner and query.inner.is_query:
                is_import = query.inner.words[:4] == ["(", "select", "*", "from"]
                yield name.text, _last(query.inner.words[4]) if is_import else ""


def _own(level: Level) -> Iterator[Piece]:
    """Yield what belongs to the query itself, conditions in parentheses included; an inner query is one piece."""
    for piece in level.pieces:
        if piece.inner and not piece.inner.is_query:
            yield from _own(piece.inner)
        else:
            yield piece


def _is_limited(pieces: list[Piece], key: str) -> bool:
    """Return whether the key is compared with something that is not a query, or nothing is read at all."""
    for number, piece in enumerate(pieces):
        following = pieces[number + 1 : number + 3]
        is_compared = _last(piece.text) == key and following and following[0].text in COMPARISONS
        if piece.text == "false" or (is_compared and not _is_query(following[-1])):
            return True
    return False


def _is_query(piece: Piece) -> bool:
    return piece.inner is not None and piece.inner.is_query


def _last(name: str) -> str:
    return name.rpartition(".")[2].strip('"')
