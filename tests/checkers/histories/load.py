"""Load: clients that ask at random for a while, and what they were answered and when.

They ask on islands: two documents with a few sections, which nothing else touches, so that the history of each is one
of its own. The sections of a document share its trash, so an island cannot be divided; but it is left for a fresh one
soon, which keeps its history short, and has first ensures in it again and again.

Where many ask at once, most answers could have come in some order. So there are islands for two as well, where nobody
else keeps the servers busy: one does all that changes something, one thing right after the other.
"""

import asyncio
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from db import ids, positions
from db.connection.database import Database
from db.models import Document, Placement, Section
from marginalia.authentication.local import LOCAL_OWNER
from tests.checkers.histories.asking import ask
from tests.checkers.histories.linearizability import NEVER, left_over
from tests.checkers.reference_model import UNAVAILABLE, Call, Margin, Operation, Verb, changed_nothing, step
from tests.support.client import Client

_log = logging.getLogger(__name__)

ISLANDS, CALLERS, EACH = 3, 6, 14
"""How many islands there are at once, how many callers ask on each, and how often each of these."""

TURNS = 8
"""How often one of two takes the section out of its document and places it again."""

BREATH = 0.003
"""How many seconds the other one leaves the servers to it each time."""

SECTIONS = 2
PATIENCE = 4.5
"""How many seconds a server must have tried before it says that it could not: nearly its whole `lock_timeout`."""

_WEIGHTS = {
    Verb.ENSURE: 50,
    Verb.REMOVE: 12,
    Verb.PLACE: 16,
    Verb.TRASH_DOCUMENT: 4,
    Verb.RESTORE_DOCUMENT: 9,
    Verb.TRASH_SECTION: 4,
    Verb.RESTORE_SECTION: 9,
}
_OF_A_DOCUMENT = {Verb.TRASH_DOCUMENT, Verb.RESTORE_DOCUMENT}
_OF_A_SECTION = {Verb.TRASH_SECTION, Verb.RESTORE_SECTION}


class Island(NamedTuple):
    """Documents and sections, how they stood at first, and what was asked of them."""

    documents: Sequence[str]
    sections: Sequence[str]
    initial: Margin
    history: list[Operation]


@dataclass
class Load:
    """What was asked on all islands, until the time was up."""

    clients: Sequence[Client]
    database: Database
    islands: list[Island] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    hasty: list[str] = field(default_factory=list)
    """Calls that were told to try again though the server had not tried for as long as it should."""

    def __post_init__(self) -> None:
        self._random = random.Random(1)  # noqa: S311 - a choice, not a secret

    async def run(self, seconds: float) -> None:
        """Ask for so long, and then until the islands are left."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            for first in range(ISLANDS):
                tasks.create_task(self._live(first, until))

    async def run_in_twos(self, seconds: float) -> None:
        """Ask for so long on islands for two, who are clients of different servers: one arranges, and both ensure."""
        until = time.monotonic() + seconds
        for first in itertools.count():
            if time.monotonic() >= until:
                return
            island = await self._island()
            self.islands.append(island)
            arranges, ensures = (self.clients[(first + n) % len(self.clients)] for n in range(2))
            async with asyncio.TaskGroup() as tasks:
                arranging = tasks.create_task(self._arrange(island, arranges))
                while not arranging.done():
                    await self._ask(island, ensures, Call(Verb.ENSURE, island.documents[0], island.sections[0]))
                    await asyncio.sleep(BREATH)

    def wrong(self) -> list[str]:
        """Return what is wrong with the answers, in lines. Raises `Undecided`."""
        if self.hasty:
            # Each of them may have taken effect or not; so many would keep a search busy, and are wrong anyway.
            return self.hasty
        wrong: list[str] = []
        for number, island in enumerate(self.islands):
            left = left_over(island.history, island.initial, step, changed_nothing)
            wrong += [f"island {number}: nothing explains {o.call}: {o.answer} of {_times(o)}" for o in left[:5]]
        operations = sum(len(island.history) for island in self.islands)
        longest = max((len(island.history) for island in self.islands), default=0)
        _log.info(
            "%s: %d operations, %d partitions of at most %d, all of them decided; %s",
            self.database.dialect,
            operations,
            len(self.islands),
            longest,
            dict(self.answers),
        )
        return wrong

    async def _live(self, first: int, until: float) -> None:
        """Ask on one island after the other."""
        while time.monotonic() < until:
            island = await self._island()
            self.islands.append(island)
            # The callers of an island are clients of different servers.
            callers = [self.clients[(first + n) % len(self.clients)] for n in range(CALLERS)]
            await asyncio.gather(*(self._ask_on(island, client) for client in callers))
            for document in island.documents:
                for section in island.sections:
                    await self._ask(island, callers[0], Call(Verb.ENSURE, document, section))

    async def _arrange(self, island: Island, client: Client) -> None:
        for _ in range(TURNS):
            for verb in (Verb.REMOVE, Verb.ENSURE, Verb.PLACE, Verb.ENSURE):
                await self._ask(island, client, Call(verb, island.documents[0], island.sections[0]))

    async def _ask_on(self, island: Island, client: Client) -> None:
        # All begin with the same, so that they meet where there is no chat yet.
        await self._ask(island, client, Call(Verb.ENSURE, island.documents[0], island.sections[0]))
        for _ in range(EACH - 1):
            await self._ask(island, client, self._any(island))

    def _any(self, island: Island) -> Call:
        (verb,) = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        document, section = self._random.choice(island.documents), self._random.choice(island.sections)
        if verb in _OF_A_DOCUMENT:
            section = ""
        if verb in _OF_A_SECTION:
            document = ""
        return Call(verb, document, section)

    async def _ask(self, island: Island, client: Client, call: Call) -> None:
        called = time.monotonic()
        try:
            answer = await ask(client, call)
        except httpx.TransportError:
            self.answers["lost"] += 1
            island.history.append(Operation(call, None, called, NEVER))
            return
        returned = time.monotonic()
        self.answers[answer.kind] += 1
        if answer.kind != UNAVAILABLE:
            island.history.append(Operation(call, answer, called, returned))
            return
        # It may have taken effect, or do so yet.
        island.history.append(Operation(call, None, called, NEVER))
        if returned - called < PATIENCE:
            self.hasty.append(f"{call}: {UNAVAILABLE} after {returned - called:.3f} s")

    async def _island(self) -> Island:
        documents = [ids.new(ids.DOCUMENT) for _ in range(2)]
        sections = [ids.new(ids.SECTION) for _ in range(SECTIONS)]
        # All in the first document, the last one in both.
        placed = [*((documents[0], section) for section in sections), (documents[1], sections[-1])]
        mine = {"workspace_id": LOCAL_OWNER.workspace_id}
        async with self.database.begin() as session:
            session.add_all(Document(**mine, id=key, title="A document", created_by="somebody") for key in documents)
            session.add_all(Section(**mine, id=key, title="A section", created_by="somebody") for key in sections)
            await session.flush()
            session.add_all(
                Placement(**mine, document_id=document, section_id=section, position=position)
                for (document, section), position in zip(placed, positions.after(None, len(placed)), strict=True)
            )
        return Island(documents, sections, Margin(placed=frozenset(placed)), [])


def _times(operation: Operation) -> str:
    return f"{operation.called:.6f} to {operation.returned:.6f}"
