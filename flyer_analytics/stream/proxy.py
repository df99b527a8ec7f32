"""Forward connections to a port, and cut them all on request, for trials of what happens then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 2**16


@dataclass
class Proxy:
    """Forwards from a port of 127.0.0.1 to another one, once it is started."""

    port: int
    target_port: int
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self.connect, "127.0.0.1", self.port):
            yield
            self.cut()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until one of its sides ends."""
        with suppress(OSError):
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            both = {writer, target_writer}
            self.writers |= both
            await asyncio.gather(self.forward(reader, target_writer), self.forward(target_reader, writer))
            self.writers -= both

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Cut all connections. New ones can be made at once."""
        for writer in self.writers:
            writer.transport.abort()
