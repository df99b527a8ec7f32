"""Edits Redshift SQL for PostgreSQL, token by token, and refuses statements that Redshift would refuse.

What SQL can express is in bootstrap.pgsql instead: functions, aggregates, casts and system views.
"""

from collections.abc import Callable, Iterator

from tools.redshift_standin.tokens import Kind, Token, mark, quoted, text_of, tokens, without_blanks


class RefusedError(Exception):
    """Redshift would refuse the statement, or the stand-in cannot execute it. The message becomes a database error."""


def edit(sql: str) -> str:
    """Return the statement that PostgreSQL executes instead of ``sql``. Raises ``RefusedError``."""
    parts = tokens(sql)
    refuse_what_redshift_lacks(parts)
    for change in EDITS:
        parts = change(parts)
    return text_of(parts)


# ---------- search


def following(parts: list[Token], place: int, words: str) -> int | None:
    """Return the position after ``words`` if they follow at ``place``, ignoring blanks; else None."""
    for word in words.split():
        place = skip_blanks(parts, place)
        if place >= len(parts) or parts[place].word != word:
            return None
        place += 1
    return place


def skip_blanks(parts: list[Token], place: int) -> int:
    while place < len(parts) and parts[place].kind is Kind.BLANK:
        place += 1
    return place


def closing(parts: list[Token], opening: int) -> int:
    """Return the position of the parenthesis that closes the one at ``opening``."""
    depth = 0
    for place in range(opening, len(parts)):
        depth += {"(": 1, ")": -1}.get(parts[place].word, 0)
        if depth == 0:
            return place
    raise RefusedError('syntax error: a "(" is never closed')


def call_at(parts: list[Token], place: int) -> tuple[int, int] | None:
    """Return the positions of the parentheses of the function call at ``place``, or None if there is no call."""
    if parts[place].kind is not Kind.WORD or (place and parts[place - 1].word == "."):
        return None
    behind = following(parts, place + 1, "(")
    return (behind - 1, closing(parts, behind - 1)) if behind else None


def split_at_commas(parts: list[Token]) -> Iterator[list[Token]]:
    depth, item = 0, list[Token]()
    for token in parts:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "," and depth == 0:
            yield item
            item = []
        else:
            item.append(token)
    yield item


# ---------- refused by Redshift

LACKING = {
    "filter (": "aggregate filters: write case when ... end inside the aggregate",
    "distinct on (": "select distinct on: number the rows in a window and keep the first",
    "array_agg (": "array_agg: use listagg or split_to_array",
    "string_agg (": "string_agg: use listagg",
    "generate_series (": "generate_series outside the leader node: join a table of numbers",
    "lateral (": "lateral joins: join on a subquery",
    "unnest (": "unnest: use a SUPER column or split_part",
    "make_interval (": "make_interval: use dateadd",
    "to_jsonb (": "jsonb: use the SUPER type",
    "create index": "indexes: name a sort key",
    "create unique index": "indexes: name a sort key",
    "create trigger": "triggers",
    "insert or": "insert or ...: use merge, or delete and insert",
    "on conflict": "on conflict: use merge, or delete and insert",
    "group by all": "group by all (only new versions do): name the columns",
}


LACKING_BY_FIRST_WORD = {
    phrase.split()[0]: [other for other in LACKING if other.split()[0] == phrase.split()[0]] for phrase in LACKING
}


def refuse_what_redshift_lacks(parts: list[Token]) -> None:
    words = [token.word for token in without_blanks(parts)]
    for place, word in enumerate(words):
        for lacking in LACKING_BY_FIRST_WORD.get(word, ()):
            if words[place : place + len(lacking.split())] == lacking.split():
                raise RefusedError(f"Redshift has no {LACKING[lacking]}")


# ---------- names and expressions


def fold_quoted_names(parts: list[Token]) -> list[Token]:
    """Redshift folds quoted names to lower case too, unless the session changes that."""
    return [Token.of(t.kind, t.text.lower()) if t.kind is Kind.QUOTED else t for t in parts]


def quote_dateparts(parts: list[Token]) -> list[Token]:
    """``datediff(day, a, b)``: quote the date part, so that a function can take it as text."""
    found = list(parts)
    for place, token in enumerate(parts):
        if token.word in ("datediff", "dateadd", "date_diff", "date_part") and (call := call_at(parts, place)):
            part = skip_blanks(parts, call[0] + 1)
            if parts[part].kind is Kind.WORD and following(parts, part + 1, ","):
                found[part] = Token.of(Kind.TEXT, quoted(parts[part].word))
    return found


def name_null_treatment(parts: list[Token]) -> list[Token]:
    """``last_value(x ignore nulls) over`` becomes ``last_value_ignore_nulls(x) over``, from bootstrap.pgsql."""
    found = list(parts)
    for place, token in enumerate(parts):
        if token.word not in ("first_value", "last_value", "nth_value", "lag", "lead"):
            continue
        if not (call := call_at(parts, place)):
            continue
        opening, end = call
        for treatment in ("ignore", "respect"):
            for start in range(opening + 1, end + 2):
                behind = following(parts, start, f"{treatment} nulls")
                if behind is None or (start < end and skip_blanks(parts, behind) != end):
                    continue
                for number in range(start, behind):
                    found[number] = mark(" ")
                if treatment == "ignore":
                    if token.word not in ("first_value", "last_value"):
                        raise RefusedError(f"the stand-in does not support {token.word} with ignore nulls")
                    found[place] = Token.of(Kind.WORD, token.word + "_ignore_nulls")
                break
    return found


def order_inside_listagg(parts: list[Token]) -> list[Token]:
    """``listagg(x, ',') within group (order by y)`` becomes ``string_agg(x, ',' order by y)``."""
    for place in reversed(range(len(parts))):
        if parts[place].word != "listagg" or not (call := call_at(parts, place)):
            continue
        opening, end = call
        value, *separator = split_at_commas(parts[opening + 1 : end])
        order: list[Token] = []
        behind = end + 1
        if inside := following(parts, end + 1, "within group ("):
            behind = closing(parts, inside - 1) + 1
            order = [mark(" "), *parts[inside : behind - 1]]
        separator_parts = separator[0] if separator else [Token.of(Kind.TEXT, "''")]
        call_parts = [*value, mark("::text"), mark(","), *separator_parts, *order]
        parts = [*parts[:place], Token.of(Kind.WORD, "string_agg"), mark("("), *call_parts, mark(")"), *parts[behind:]]
    return parts


def call_sysdate(parts: list[Token]) -> list[Token]:
    found = list(parts)
    for place, token in enumerate(parts):
        if token.word == "sysdate" and parts[place - 1].word != "." and following(parts, place + 1, "(") is None:
            found[place] = Token.of(Kind.WORD, "redshift.sysdate()")
    return found


# ---------- statements


def statement_words(parts: list[Token]) -> str:
    """Return the leading words of the statement, in lower case, without blanks and comments."""
    found = []
    for token in without_blanks(parts):
        if token.kind is not Kind.WORD:
            break
        found.append(token.word)
    return " ".join(found)


def name_session_parameters(parts: list[Token]) -> list[Token]:
    """PostgreSQL accepts unknown session parameters only with a prefix."""
    words = statement_words(parts).split()
    if not words or words[0] not in ("set", "reset", "show"):
        return parts
    known = ("query_group", "wlm_query_slot_count", "enable_result_cache_for_session")
    return [Token.of(t.kind, "redshift." + t.word) if t.word in known else t for t in parts]


def drop_late_binding(parts: list[Token]) -> list[Token]:
    """Remove ``with no schema binding``: views are bound here."""
    if not statement_words(parts).startswith("create") or "view" not in statement_words(parts).split()[:4]:
        return parts
    for place in range(len(parts)):
        if behind := following(parts, place, "with no schema binding"):
            return [*parts[:place], *parts[behind:]]
    return parts


def grant_to_names(parts: list[Token]) -> list[Token]:
    """``grant ... to role x, group y`` becomes ``grant ... to x, y``: roles, groups and users are the same here."""
    if not statement_words(parts).startswith(("grant", "revoke")):
        return parts
    found = list(parts)
    for place, token in enumerate(parts):
        before = next((t.word for t in reversed(parts[:place]) if t.kind is not Kind.BLANK), "")
        if token.word in ("role", "group") and before in ("to", "from", ","):
            found[place] = mark("")
    return found


def make_plain_tables(parts: list[Token]) -> list[Token]:
    """``create table`` without distribution and sort keys, constraints, encodings and backups."""
    place = None
    for words in ("create table", "create temp table", "create temporary table", "create local temporary table"):
        place = place or following(parts, 0, words)
    if place is None:
        return parts
    place = following(parts, place, "if not exists") or place
    place = skip_blanks(parts, place) + 1
    while following(parts, place, "."):
        place = skip_blanks(parts, following(parts, place, ".") or place) + 1

    head, columns, names = parts[:place], "", list[str]()
    if opening := following(parts, place, "("):
        place = closing(parts, opening - 1) + 1
        items = [without_blanks(item) for item in split_at_commas(parts[opening : place - 1])]
        kept = [plain_column(item) for item in items if not is_row_key(item)]
        names = [item[0].name for item in kept]
        columns = f" ({', '.join(map(spaced, kept))})"
    behind = place
    while behind < len(parts) and parts[behind].word not in ("as", ";"):
        behind += 1
    keys = key_columns(without_blanks(parts[place:behind]))
    if behind < len(parts) and parts[behind].word == "as":
        return [*head, mark(f"{columns} "), *query_with(keys, parts[behind:])]
    for key in keys:
        if key not in names:
            raise RefusedError(f'column "{key}" named as key does not exist in the table: {", ".join(names)}')
    return [*head, mark(columns), *parts[behind:]]


def is_row_key(item: list[Token]) -> bool:
    """Return whether the item is a table constraint, which Redshift does not enforce."""
    words = [token.word for token in item]
    if "check" in words[:3]:
        raise RefusedError("Redshift has no check constraints: test it in dbt")
    return words[0] in ("primary", "unique", "foreign", "constraint")


def plain_column(item: list[Token]) -> list[Token]:
    """Return a column definition with Redshift's default length of the type, without keys and encoding."""
    name, kind, *rest = item if len(item) > 1 else [*item, mark("")]
    if name.word == "like":
        return item
    if kind.word == "character" and rest and rest[0].word == "varying":
        kind, rest = Token.of(Kind.WORD, "varchar"), rest[1:]
    has_length = bool(rest) and rest[0].word == "("
    if kind.word in ("varchar", "text", "nvarchar") and not has_length:
        kind = Token.of(Kind.WORD, "varchar(256)")
    elif kind.word in ("varchar", "nvarchar") and rest[1].word == "max":
        rest[1] = Token.of(Kind.NUMBER, "65535")
    elif kind.word in ("numeric", "decimal") and not has_length:
        kind = Token.of(Kind.WORD, "numeric(18, 0)")
    return [name, kind, *without_column_keys(rest)]


def without_column_keys(rest: list[Token]) -> list[Token]:
    kept: list[Token] = []
    place = 0
    while place < len(rest):
        word = rest[place].word
        if word in ("distkey", "sortkey", "unique"):
            place += 1
        elif word in ("encode", "primary"):
            place += 2
        elif word == "references":
            raise RefusedError(
                "the stand-in supports foreign keys only as table constraints: foreign key (...) references"
            )
        else:
            kept.append(rest[place])
            place += 1
    return kept


def key_columns(attributes: list[Token]) -> list[str]:
    """Return the key columns in a table's attributes. Refuses attributes that Redshift does not have."""
    keys: list[str] = []
    place = 0
    while place < len(attributes):
        word = attributes[place].word
        if word in ("compound", "interleaved"):
            place += 1
        elif word in ("backup", "diststyle", "encode") or following(attributes, place, "sortkey auto"):
            place += 2
        elif word in ("distkey", "sortkey") and following(attributes, place + 1, "("):
            end = closing(attributes, place + 1)
            keys += [token.name for token in attributes[place + 2 : end] if token.name]
            place = end + 1
        else:
            raise RefusedError(f'syntax error at or near "{attributes[place].text}" in the attributes of a table')
    return keys


def query_with(keys: list[str], query: list[Token]) -> list[Token]:
    """Return ``as (query)`` such that it fails if the query does not return all key columns."""
    if not keys:
        return query
    body = text_of(query[1:]).strip().removesuffix(";").strip()
    condition = " or ".join(f'keys_checked."{key}" is null' for key in keys)
    checked = f"as select * from (\n{body}\n) as keys_checked where case when true then true else {condition} end"
    return [mark(checked)]


def size_added_columns(parts: list[Token]) -> list[Token]:
    """``alter table x add column y varchar``: add Redshift's default length to the type."""
    if not statement_words(parts).startswith("alter table"):
        return parts
    for place in range(len(parts)):
        if behind := following(parts, place, "add column"):
            return [*parts[:behind], mark(" " + spaced(plain_column(without_blanks(parts[behind:]))))]
    return parts


def spaced(item: list[Token]) -> str:
    return " ".join(token.text for token in item)


EDITS: tuple[Callable[[list[Token]], list[Token]], ...] = (
    fold_quoted_names,
    quote_dateparts,
    name_null_treatment,
    order_inside_listagg,
    call_sysdate,
    name_session_parameters,
    drop_late_binding,
    grant_to_names,
    make_plain_tables,
    size_added_columns,
)
