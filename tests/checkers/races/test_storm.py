"""Storms: everything that touches a few sections, at once and for a while; what must hold holds after each answer."""

import asyncio
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from sqlalchemy import func, select

from db.connection.database import Database
from db.models import ChatSession
from tests.api.operations import create_document, create_section, import_document
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, many_sections, place, post, remove
from tests.support.invariants import violations
from tests.support.thorough import thorough

_log = logging.getLogger(__name__)

SECONDS = 20 if thorough() else 3
TYPED = {
    "CREATED",
    "FOUND",
    "SectionNotInDocument",
    "PlaceSectionSuccess",
    "RemoveSectionSuccess",
    "PostMessageSuccess",
}
"""All that may be answered: no error, no TemporarilyUnavailable."""


async def test_a_storm_of_ensures_removals_and_placements_leaves_everything_right(
    client: Client, database: Database
) -> None:
    documents = [await factories.document(database) for _ in range(2)]
    sections = await many_sections(database, documents[0], 3)
    late = iter(await many_sections(database, documents[1], 400))
    storm = _Storm(client, [document.id for document in documents], sections)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(storm.ensure())
            tasks.create_task(storm.arrange())
        tasks.create_task(storm.unopened(late))
    assert set(storm.answers) <= TYPED, storm.answers
    assert storm.answers.keys() >= {"CREATED", "FOUND", "SectionNotInDocument"}, "it was no storm"
    assert await violations(database) == []
    assert storm.answers["CREATED"] == len(storm.chats) == await _count_chats(database)
    _log.info("%s: %s", database.dialect, dict(storm.answers))


async def test_one_connection_is_enough_for_everybody(serve: Serve, database: Database) -> None:
    """Nobody waits for a second connection while holding one, or this would end in TemporarilyUnavailable."""
    # Far more time than a busy machine needs: only a wait that never ends may use it up.
    async with serve(pool_size=1, lock_timeout=120.0) as client:
        document = await factories.document(database)
        sections = await many_sections(database, document, 6)

        async def one_of_each(section_id: str) -> None:
            answer = await ensure(client, document.id, section_id)
            assert answer["__typename"] == "ChatSession"
            assert (await post(client, answer["id"], "Text"))["__typename"] == "PostMessageSuccess"
            created, imported, made = await asyncio.gather(
                create_document(client), import_document(client, "# One\n\n# Two"), create_section(client, document.id)
            )
            assert await place(client, created, made) == "PlaceSectionSuccess"
            assert await place(client, imported, section_id) == "PlaceSectionSuccess"
            assert await remove(client, document.id, made) == "RemoveSectionSuccess"

        await asyncio.gather(*(one_of_each(section_id) for section_id in sections * 2))
    assert await violations(database) == []


class _Storm:
    """Callers that each do one kind of thing to the same sections until the time is up."""

    def __init__(self, client: Client, documents: list[str], sections: list[str]) -> None:
        self.client, self.documents, self.sections = client, documents, sections
        self.answers: Counter[str] = Counter()
        self.chats: dict[str, str] = {}
        self._until = time.monotonic() + SECONDS
        self._random = random.Random(1)  # noqa: S311 - a choice, not a secret

    async def ensure(self) -> None:
        for document_id, section_id in self._anchors():
            await self._ensure(document_id, section_id)

    async def arrange(self) -> None:
        """Take sections out and put them back."""
        for document_id, section_id in self._anchors():
            self.answers[await remove(self.client, document_id, section_id)] += 1
            self.answers[await place(self.client, document_id, section_id)] += 1

    async def unopened(self, sections: Iterable[str]) -> None:
        """Ask for the chat of one new section after the other, while it is taken out of its document."""
        for section_id in itertools.takewhile(lambda _: time.monotonic() < self._until, sections):
            removed, _, _ = await asyncio.gather(
                remove(self.client, self.documents[1], section_id),
                self._ensure(self.documents[1], section_id),
                self._ensure(self.documents[1], section_id),
            )
            # H3: the removal has been acknowledged, so from now on nobody is told otherwise.
            assert removed == "RemoveSectionSuccess"
            assert await self._ensure(self.documents[1], section_id) == "SectionNotInDocument"

    async def _ensure(self, document_id: str, section_id: str) -> str:
        answer = await ensure(self.client, document_id, section_id)
        if "id" in answer:
            # H1: one id for ever, and only the first says CREATED.
            assert self.chats.setdefault(section_id, answer["id"]) == answer["id"]
            if self._random.random() < 0.1:
                self.answers[(await post(self.client, answer["id"], "Text"))["__typename"]] += 1
        kind: str = answer.get("ensured") or answer["__typename"]
        self.answers[kind] += 1
        return kind

    def _anchors(self) -> Iterator[tuple[str, str]]:
        while time.monotonic() < self._until:
            yield self._random.choice(self.documents), self._random.choice(self.sections)


async def _count_chats(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(ChatSession)) or 0
