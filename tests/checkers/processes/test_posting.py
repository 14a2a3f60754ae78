"""Many writers of one chat, in several processes: every message once, with a number of its own, and no number left."""

import asyncio
import logging
import time
from typing import Any

from db.connection.database import Database
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.invariants import violations
from tests.support.thorough import thorough

WRITERS, EACH, PAGE = 16, 100 if thorough() else 25, 7

_log = logging.getLogger(__name__)

READ = """
query Read($chatId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  chatSession(id: $chatId) {
    messageCount
    messages(first: $first, after: $after, last: $last, before: $before) {
      edges { node { id seq content clientId } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""


async def test_sixteen_writers_in_four_processes_number_their_messages_without_a_gap(
    clients: list[Client], database: Database
) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    chat_id = (await ensure(clients[0], document.id, section.id))["id"]

    writers = [_Writer(clients[number % len(clients)], chat_id, number) for number in range(WRITERS)]
    await asyncio.gather(*(writer.write() for writer in writers))

    acknowledged = {message["id"]: message for writer in writers for message in writer.acknowledged}
    assert len(acknowledged) == WRITERS * EACH
    assert sorted(message["seq"] for message in acknowledged.values()) == list(range(1, WRITERS * EACH + 1))
    for writer in writers:
        # H5: what was sent after an acknowledgement has a greater number.
        numbers = [message["seq"] for message in writer.acknowledged]
        assert numbers == sorted(numbers)

    forward, backward = await asyncio.gather(_forward(clients[0], chat_id), _backward(clients[1], chat_id))
    assert forward == sorted(acknowledged.values(), key=lambda message: int(message["seq"]))
    assert backward == forward[::-1]
    assert await violations(database) == []

    retries = sum(writer.retries for writer in writers)
    waits = sorted(wait for writer in writers for wait in writer.waits)
    p50, p99, longest = waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1]
    _log.info("%s: p50 %.3f s, p99 %.3f s, longest %.3f s, %d retries", database.dialect, p50, p99, longest, retries)
    assert retries <= WRITERS, "a writer is rarely told to try again"


class _Writer:
    """Posts one message after the other, and again with the same client id when told to try again."""

    def __init__(self, client: Client, chat_id: str, number: int) -> None:
        self.client, self.chat_id, self.number = client, chat_id, number
        self.acknowledged: list[dict[str, Any]] = []
        self.waits: list[float] = []
        self.retries = 0

    async def write(self) -> None:
        for n in range(EACH):
            self.acknowledged.append(await self._post(f"Message {n} of writer {self.number}", f"{self.number}-{n}"))

    async def _post(self, content: str, client_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        while (answer := await post(self.client, self.chat_id, content, client_id))[
            "__typename"
        ] != "PostMessageSuccess":
            assert answer["__typename"] == "TemporarilyUnavailable", answer
            self.retries += 1
        self.waits.append(time.perf_counter() - started)
        message: dict[str, Any] = answer["postedMessage"]
        return message


async def _forward(client: Client, chat_id: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await client(READ, chatId=chat_id, first=PAGE, after=after))["chatSession"]["messages"]
        read += [edge["node"] for edge in page["edges"]]
        assert len(read) <= WRITERS * EACH, "the pages do not end"
        if not page["pageInfo"]["hasNextPage"]:
            return read
        after = page["pageInfo"]["endCursor"]


async def _backward(client: Client, chat_id: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    before = None
    while True:
        page = (await client(READ, chatId=chat_id, last=PAGE, before=before))["chatSession"]["messages"]
        read += [edge["node"] for edge in reversed(page["edges"])]
        assert len(read) <= WRITERS * EACH, "the pages do not end"
        if not page["pageInfo"]["hasPreviousPage"]:
            return read
        before = page["pageInfo"]["startCursor"]
