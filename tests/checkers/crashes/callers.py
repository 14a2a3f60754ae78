"""Callers that go on whatever happens to the servers: what was not answered is sent again, to another one."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.checkers.crashes.fleet import Fleet
from tests.support.client import Client
from tests.support.concurrent_callers import ENSURE, PLACE, POST, REMOVE

TRASH_SECTION = "mutation ($sectionId: ID!) { trashSection(sectionId: $sectionId) { __typename } }"
RESTORE_SECTION = "mutation ($sectionId: ID!) { restoreSection(sectionId: $sectionId) { __typename } }"
TRASH_DOCUMENT = "mutation ($docId: ID!) { trashDocument(docId: $docId) { __typename } }"
RESTORE_DOCUMENT = "mutation ($docId: ID!) { restoreDocument(docId: $docId) { __typename } }"

REFUSALS = {"DocumentNotFound", "SectionNotFound", "SectionNotInDocument", "ChatSessionNotFound"}
"""What may be answered about what others take away meanwhile."""


@dataclass
class Heard:
    """What all callers together were told."""

    answers: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    chats: dict[str, str] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """What the callers have in common, beside one document with one section for each of them alone."""

    documents: list[str]
    sections: list[str]
    own: list[tuple[str, str]]
    unopened: Iterator[str]


class Caller:
    """One who does one thing after the other, on what it has for itself and on what it shares with all."""

    def __init__(self, number: int, fleet: Fleet, world: World, heard: Heard) -> None:
        self._number, self._fleet, self._world, self._heard = number, fleet, world, heard
        self._random = random.Random(number)  # noqa: S311 - a choice, not a secret
        self._server = number
        self._posts = itertools.count()
        self._last_number: dict[str, int] = {}

    async def call_until(self, deadline: float) -> None:
        """Go on until the time is up; what was begun by then is brought to its end."""
        loop = asyncio.get_running_loop()
        does = [self._own_placement, self._own_trash, self._shared, self._shared, self._new]
        async with httpx.AsyncClient(timeout=30) as self._http:
            while loop.time() < deadline:
                await self._random.choice(does)()

    async def _own_placement(self) -> None:
        """H3, H2: nobody else touches it, so every answer is certain."""
        document, section = self._world.own[self._number]
        chat = await self._ensure(document, section)
        gone = {"RemoveSectionSuccess", "SectionNotInDocument"}
        await self._done("removeSection", REMOVE, gone, docId=document, sectionId=section)
        assert await self._ensure(document, section) == "SectionNotInDocument"
        await self._done("placeSection", PLACE, {"PlaceSectionSuccess"}, docId=document, sectionId=section)
        assert await self._ensure(document, section) == chat

    async def _own_trash(self) -> None:
        document, section = self._world.own[self._number]
        chat = await self._ensure(document, section)
        assert await self._post(chat)
        await self._done("trashSection", TRASH_SECTION, {"TrashSectionSuccess"}, sectionId=section)
        assert await self._ensure(document, section) == "SectionNotFound"
        await self._done("trashDocument", TRASH_DOCUMENT, {"TrashDocumentSuccess"}, docId=document)
        assert await self._ensure(document, section) == "DocumentNotFound"
        await self._done("restoreSection", RESTORE_SECTION, {"RestoreSectionSuccess"}, sectionId=section)
        await self._done("restoreDocument", RESTORE_DOCUMENT, {"RestoreDocumentSuccess"}, docId=document)
        assert await self._ensure(document, section) == chat
        assert await self._post(chat)

    async def _shared(self) -> None:
        """Ensure and post where others remove, place, trash and restore; and do so oneself now and then."""
        document, section = self._random.choice(self._world.documents), self._random.choice(self._world.sections)
        chat = await self._ensure(document, section)
        if chat not in REFUSALS:
            await self._post(chat)
        change = self._random.randrange(8)
        if change == 0:
            await self._done(
                "removeSection", REMOVE, {"RemoveSectionSuccess", *REFUSALS}, docId=document, sectionId=section
            )
            await self._done(
                "placeSection", PLACE, {"PlaceSectionSuccess", *REFUSALS}, docId=document, sectionId=section
            )
        elif change == 1:
            await self._done("trashSection", TRASH_SECTION, {"TrashSectionSuccess"}, sectionId=section)
            await self._done("restoreSection", RESTORE_SECTION, {"RestoreSectionSuccess"}, sectionId=section)
        elif change == 2 and self._number % 4 == 0:
            await self._done("trashDocument", TRASH_DOCUMENT, {"TrashDocumentSuccess"}, docId=document)
            await self._done("restoreDocument", RESTORE_DOCUMENT, {"RestoreDocumentSuccess"}, docId=document)

    async def _new(self) -> None:
        """Ask for the chat of a section that has none, twice at once."""
        section = next(self._world.unopened)
        await asyncio.gather(*(self._ensure(self._world.documents[0], section) for _ in range(2)))

    async def _ensure(self, document: str, section: str) -> str:
        """Return the id of the chat, or the kind of the refusal."""
        answer = await self._answered("ensureSectionChat", ENSURE, docId=document, sectionId=section)
        if answer["__typename"] in REFUSALS:
            return str(answer["__typename"])
        assert answer["__typename"] == "ChatSession", answer
        # H1: one id for ever, and only one says CREATED.
        assert self._heard.chats.setdefault(section, answer["id"]) == answer["id"]
        self._heard.created[section] += answer["ensured"] == "CREATED"
        assert self._heard.created[section] <= 1
        return str(answer["id"])

    async def _post(self, chat: str) -> bool:
        """Post to a chat; False: its section is in the trash, or was by the time that it was asked once more."""
        client_id = f"{self._number}-{next(self._posts)}"
        answer = await self._answered(
            "postMessage", POST, chatId=chat, content=f"Message {client_id}", clientId=client_id
        )
        if answer["__typename"] == "ChatSessionNotFound":
            return False
        assert answer["__typename"] == "PostMessageSuccess", answer
        # H5: what was acknowledged before has a smaller number.
        message = answer["postedMessage"]
        assert self._last_number.get(chat, 0) < message["seq"]
        self._last_number[chat] = message["seq"]
        self._heard.messages[message["id"]] = {**message, "chat": chat, "author": "local"}
        return True

    async def _done(self, name: str, operation: str, expected: set[str], **variables: Any) -> None:
        answer = await self._answered(name, operation, **variables)
        assert answer["__typename"] in expected, (name, answer)

    async def _answered(self, name: str, operation: str, **variables: Any) -> dict[str, Any]:
        while True:
            client = Client(self._http)
            self._http.base_url = httpx.URL(self._fleet.address(self._server))
            try:
                answer: dict[str, Any] = (await client(operation, **variables))[name]
            except httpx.TransportError as error:
                self._heard.unanswered[type(error).__name__] += 1
                self._server += 1
                await asyncio.sleep(0.02)
                continue
            self._heard.answers[f"{name} {answer.get('ensured') or answer['__typename']}"] += 1
            if answer["__typename"] != "TemporarilyUnavailable":
                return answer
            await asyncio.sleep(0.05)
