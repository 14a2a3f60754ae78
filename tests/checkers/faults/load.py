"""A load: callers who go on through an outage, and a supervisor who asks how the server is."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import select

from db.connection.database import Database
from db.models import Message
from tests.support.client import Client
from tests.support.concurrent_callers import ENSURE, POST, ensure, post

READ = "query ($id: ID!) { chatSession(id: $id) { messageCount } }"
UNAVAILABLE = "TemporarilyUnavailable"
RECOVERY = 5.0
"""Within how many seconds a server is to serve again by itself."""


class Load:
    """Callers of one chat: some post, some ensure, some read, and all of them take no for an answer."""

    def __init__(self, http: httpx.AsyncClient, anchor: tuple[str, str], chat_id: str) -> None:
        self.answers: Counter[str] = Counter()
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.readiness: list[tuple[float, int, str | None]] = []
        self._http, self._client = http, Client(http)
        self._anchor, self._chat_id = anchor, chat_id

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Call within the block, and bring what was begun to its end."""
        self._ended = False
        async with asyncio.TaskGroup() as tasks:
            for number in range(4):
                tasks.create_task(self._post(number))
                tasks.create_task(self._read())
            tasks.create_task(self._ensure())
            tasks.create_task(self._watch())
            try:
                yield
            finally:
                self._ended = True

    def seen(self, status: int, since: float) -> list[float]:
        """Return how many seconds after a moment the server was found ready (200), or not (503)."""
        return [at - since for at, found, _ in self.readiness if found == status and at >= since]

    async def assert_kept(self, database: Database) -> None:
        """Insist that what was acknowledged is there once, as it was told."""
        async with database.read() as session:
            rows = (await session.scalars(select(Message).where(Message.chat_id == self._chat_id))).all()
        stored = {row.id: (row.seq, row.content, row.client_id) for row in rows}
        told = {key: (each["seq"], each["content"], each["clientId"]) for key, each in self.acknowledged.items()}
        assert {key: stored.get(key) for key in told} == told
        assert len({row.client_id for row in rows}) == len(rows)

    async def _post(self, writer: int) -> None:
        for number in itertools.count():
            content = f"{writer}-{number}"
            while True:
                answer = (await self._client(POST, chatId=self._chat_id, content=content, clientId=content))[
                    "postMessage"
                ]
                self.answers[answer["__typename"]] += 1
                if answer["__typename"] == "PostMessageSuccess":
                    message = answer["postedMessage"]
                    self.acknowledged[message["id"]] = message
                    break
                assert answer["__typename"] == UNAVAILABLE, answer
                await asyncio.sleep(0.05)
            if self._ended:
                return

    async def _ensure(self) -> None:
        while not self._ended:
            document, section = self._anchor
            answer = (await self._client(ENSURE, docId=document, sectionId=section))["ensureSectionChat"]
            self.answers[answer.get("ensured") or answer["__typename"]] += 1
            assert answer.get("ensured") == "FOUND" or answer["__typename"] == UNAVAILABLE, answer
            await asyncio.sleep(0.02)

    async def _read(self) -> None:
        while not self._ended:
            answer = await self._client.result(READ, id=self._chat_id)
            codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
            assert codes <= {"TEMPORARILY_UNAVAILABLE"}, answer
            self.answers["no reading" if codes else "reading"] += 1
            await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._ended:
            asked = loop.time()
            assert (await self._http.get("/livez")).status_code == 200
            assert loop.time() - asked < 2, "the process answers at once, whatever the database does"
            answer = await self._http.get("/readyz")
            self.readiness.append((loop.time(), answer.status_code, answer.json().get("reason")))
            await asyncio.sleep(0.05)


async def first_message(client: Client, anchor: tuple[str, str]) -> str:
    """Open a chat and post to it; return the id of the chat."""
    chat_id = str((await ensure(client, *anchor))["id"])
    assert (await post(client, chat_id, "The first", "first"))["__typename"] == "PostMessageSuccess"
    return chat_id


async def until_ready(http: httpx.AsyncClient) -> None:
    """Wait until a server says that it is ready, which must not take it long."""

    async def ready() -> bool:
        return (await http.get("/readyz")).status_code == 200

    await until(ready)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is true, for as long as a recovery may take."""
    async with asyncio.timeout(RECOVERY):
        while not await true():  # noqa: ASYNC110 - it is the server that knows
            await asyncio.sleep(0.05)
