"""A proxy between us and PostgreSQL, whose connections can die at any moment, without a word or with an answer lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Passes on what is sent, until it is told to be silent."""

    def __init__(self, url: str) -> None:
        """Stand before the database of a URL."""
        self._target = urlsplit(url)
        self._passing: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._port = 0
        self._losing = False
        self.sent = bytearray()
        """What clients have sent since somebody has cleared it."""

    @property
    def url(self) -> str:
        """The URL of the database through the proxy."""
        user = self._target.username or "postgres"
        return f"postgresql://{user}@127.0.0.1:{self._port}{self._target.path}?sslmode=disable"

    def silence(self) -> None:
        """Pass nothing on any more over the connections that there are; new ones work."""
        for task in self._passing:
            task.cancel()
        self._passing.clear()

    def lose_an_answer(self) -> None:
        """End the connection over which the next answer comes, and do not pass it on."""
        self._losing = True

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Listen within the block."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.silence()
            server.close()
            for writer in self._writers:
                writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = parse_qs(self._target.query).get("host")
        port = self._target.port or 5432
        upstream, downstream = await (
            asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.{port}")
            if folder
            else asyncio.open_connection(self._target.hostname, port)
        )
        self._writers += (writer, downstream)
        for source, target in ((reader, downstream), (upstream, writer)):
            self._passing.append(asyncio.create_task(self._pass_on(source, target, answers=target is writer)))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                if answers and self._losing:
                    self._losing = False
                    break
                if not answers:
                    self.sent += data
                target.write(data)
                await target.drain()
            target.close()
