"""A Redshift to test against: PostgreSQL that acts like Redshift for the unmodified driver and adapter."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from psycopg2.extensions import connection

from tools.redshift_standin.copying import copy_locally
from tools.redshift_standin.edits import RefusedError, edit
from tools.redshift_standin.proxy import Proxy
from tools.redshift_standin.server import SUPERUSER, Server
from tools.redshift_standin.tokens import first_words, quoted

BOOTSTRAP = Path(__file__).with_name("bootstrap.pgsql")
TEMPLATE = "redshift_template"
USER = "dbt"

Emulation = Callable[[str], str]
"""Takes a statement as it was sent and returns the one that PostgreSQL executes instead, in the same transaction."""


@dataclass(frozen=True)
class Statement:
    """A statement as the driver sent it."""

    database: str
    sql: str


class Standin:
    """Listens at ``host`` and ``port`` and accepts any password; ``ca`` is the certificate to trust.

    ``statements`` has all statements as they were sent. ``buckets`` maps prefixes such as ``s3://events`` to the
    folders that COPY reads instead. ``emulate`` adds a replacement for a kind of statement.
    """

    host = "localhost"
    user = USER

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.buckets: dict[str, Path] = {}
        self._emulations: dict[str, Emulation] = {}
        self._server = Server()
        authority = trustme.CA()
        self.ca = self._server.folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(self.host).configure_cert(tls)
        self._prepare()
        self._proxy = Proxy(self._server.socket, tls, self._answer)
        self.port = self._proxy.port
        self.emulate("copy", lambda sql: copy_locally(sql, self.buckets, self._server.folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._proxy.stop()
        self._server.stop()

    def create_database(self, name: str, template: str = TEMPLATE) -> None:
        """Create a database, a copy of ``template``, which must not have connections."""
        self._server.execute(
            "postgres", f'create database "{name}" template "{template}" owner {USER} strategy file_copy'
        )

    def drop_database(self, name: str) -> None:
        self._server.execute("postgres", f'drop database if exists "{name}" with (force)')

    def connect(self, database: str) -> connection:
        """Return a psycopg2 connection that bypasses the proxy, in autocommit, as superuser."""
        return self._server.connect(database)

    def statements_of(self, database: str) -> list[str]:
        return [statement.sql for statement in self.statements if statement.database == database]

    def connections_of(self, database: str) -> int:
        """Return how many connections were made to ``database``, without those of ``connect``."""
        return self._proxy.connections[database]

    def emulate(self, words: str, emulation: Emulation) -> None:
        """Replace statements that begin with ``words``, such as ``create external schema``, by those of ``emulation``.

        If it raises ``RefusedError``, the statement fails with a database error.
        """
        self._emulations[words] = emulation

    def _answer(self, database: str, sql: str) -> str:
        self.statements.append(Statement(database, sql))
        try:
            return self._emulation_of(sql)(sql)
        except RefusedError as refused:
            message = str(refused)
        except Exception as error:
            message = f"the stand-in cannot edit this statement: {error!r}"
        return f"select redshift.refuse({quoted(message)})"

    def _emulation_of(self, sql: str) -> Emulation:
        for words, emulation in self._emulations.items():
            if first_words(sql, len(words.split())) == words:
                return emulation
        return edit

    def _prepare(self) -> None:
        # The user may not create in schema redshift, so tables without a schema are not created there.
        self._server.execute("postgres", f"create role {USER} login createdb createrole in role pg_read_server_files")
        self._server.execute("postgres", f'alter role {USER} set search_path to redshift, pg_catalog, "$user", public')
        self._server.execute("postgres", f"create database {TEMPLATE}")
        self._server.execute(TEMPLATE, BOOTSTRAP.read_text())


__all__ = ["SUPERUSER", "RefusedError", "Standin", "Statement"]
