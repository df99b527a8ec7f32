"""Text for messages and for SQL."""


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun: 1 view, 2 views."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def sql_text(value: object) -> str:
    """Return ``value`` as an SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
