"""A fleet: server processes on one database, of which one after the other is killed and started again."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.processes import Server, start


class Fleet:
    """Keeps so many servers running, and kills them in turn."""

    def __init__(self, database_url: str, folder: Path, size: int) -> None:
        self.kills = 0
        self._url, self._folder, self._size = database_url, folder, size
        self._servers: dict[int, Server] = {}
        self._killed: list[Server] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._folders = itertools.count()

    def address(self, number: int) -> str:
        """Tell where a server answers; the place of one that was killed is taken by the next."""
        return self._servers[number % self._size].address

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Fleet"]:
        """Serve within the block, end as a supervisor would, and insist that no server had anything to complain of."""
        await asyncio.gather(*(self._start(number) for number in range(self._size)))
        try:
            yield self
        finally:
            await asyncio.gather(*self._starting)
            for server in self._servers.values():
                server.process.send_signal(signal.SIGTERM)
            ended = [
                (server, await asyncio.to_thread(server.process.wait, 20), code)
                for servers, code in ((self._servers.values(), 0), (self._killed, -signal.SIGKILL))
                for server in servers
            ]
        for server, code, expected in ended:
            assert code == expected, server.log
            assert not server.complained, server.log

    async def kill_until(self, deadline: float, pause: float) -> None:
        """Kill one after the other without a warning, every `pause` seconds, and start another in its place."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number in itertools.cycle(range(self._size)):
            due += pause
            if due >= deadline:
                return
            await asyncio.sleep(due - loop.time())
            self._servers[number].process.kill()
            self._killed.append(self._servers[number])
            self.kills += 1
            await self._start(number)

    async def _start(self, number: int) -> None:
        # Shielded: a process that is being started when this is cancelled has to be ended too.
        starting = asyncio.create_task(self._started(number))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        await asyncio.shield(starting)

    async def _started(self, number: int) -> None:
        folder = self._folder / f"server-{next(self._folders)}"
        folder.mkdir()
        self._servers[number] = await asyncio.to_thread(start, self._url, folder)
