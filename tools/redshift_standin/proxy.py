"""A proxy between the Redshift driver and PostgreSQL: adapts the startup packet, edits SQL, forwards everything else.

It offers TLS to the driver, so that production settings can be used unchanged.
"""

import asyncio
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
KEPT_AT_START = ("user", "database", "application_name", "client_encoding", "options")


class Proxy:
    """Listens on a free port of localhost and forwards to the PostgreSQL at ``socket``.

    ``edit`` takes the database and a statement, and returns the statement that PostgreSQL receives. ``connections``
    counts the connections to each database since the start.
    """

    def __init__(self, socket: Path, tls: ssl.SSLContext, edit: Callable[[str, str], str]) -> None:
        self._socket = socket
        self._tls = tls
        self._edit = edit
        self.connections: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        writers = [to_client]
        try:
            start = await self._read_start(client, to_client)
            server, to_server = await asyncio.open_unix_connection(str(self._socket))
            writers.append(to_server)
            to_server.write(packed_start(start))
            database = start.get("database", start.get("user", ""))
            self.connections[database] += 1
            ways = [
                asyncio.ensure_future(pass_on(server, to_client)),
                asyncio.ensure_future(self._pass_on_edited(client, to_server, database)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client disconnected, or the proxy is stopping
        finally:
            for writer in writers:
                writer.close()

    async def _read_start(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> dict[str, str]:
        code, body = await read_start(client)
        if code == SSL_REQUEST:
            to_client.write(b"S")
            await to_client.drain()
            await to_client.start_tls(self._tls)
            code, body = await read_start(client)
        if code != PROTOCOL_3:
            raise ConnectionAbortedError(f"the stand-in supports protocol 3.0, not {code}")
        fields = body.decode().split("\0")
        return dict(zip(fields[::2], fields[1::2], strict=False))

    async def _pass_on_edited(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, database: str
    ) -> None:
        while True:
            kind, size = struct.unpack("!ci", await client.readexactly(5))
            body = await client.readexactly(size - 4)
            if kind == b"Q":
                body = self._edit(database, body[:-1].decode()).encode() + b"\0"
            elif kind == b"P":
                name, sql, types = body.split(b"\0", 2)
                body = b"\0".join([name, self._edit(database, sql.decode()).encode(), types])
            to_server.write(struct.pack("!ci", kind, len(body) + 4) + body)
            await to_server.drain()


async def read_start(client: asyncio.StreamReader) -> tuple[int, bytes]:
    size, code = struct.unpack("!ii", await client.readexactly(8))
    return code, await client.readexactly(size - 8)


def packed_start(fields: dict[str, str]) -> bytes:
    kept = [text for name in KEPT_AT_START if name in fields for text in (name, fields[name])]
    body = struct.pack("!i", PROTOCOL_3) + "\0".join([*kept, "\0"]).encode()
    return struct.pack("!i", len(body) + 4) + body


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
