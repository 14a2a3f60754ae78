"""Openings: the chats as they are opened, by whichever process, told to those who follow a document.

The database is the only thing that all processes share, so it is asked again and again: one small statement for all
who follow something in this process, and two more for each workspace that has news.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Text, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from db import visible
from db.batches import among
from db.database import Database
from db.faults import Unavailable
from db.models import ChatSession, Placement
from db.times import UtcDateTime, utcnow

OVERLAP = timedelta(minutes=2)
"""How far each reading looks back behind the one before it.

A chat has the time of the statement that opened it, and is seen only after the commit: later than others that were
opened after it. PostgreSQL gives that statement 30 seconds, all its waiting for locks included, and its transaction 60
more to go on (`db/database.py`); one that is run again takes a new time. SQLite stamps under the one write lock.
A clock that was set back by more than this hides the chats opened until it has caught up.
"""

BACKLOG = 1_000
"""How many chats may wait for one follower."""

PATIENCE = 4
"""How many intervals pass before the next try while the database is out of reach."""

_log = logging.getLogger("marginalia.database")


class FellBehind(Exception):
    """A follower did not take what it was told, and is told no more; it may follow the document again."""


class Place(NamedTuple):
    """A document that can be followed."""

    workspace_id: str
    document_id: str


Told = tuple[ChatSession, Sequence[Place]]
"""A chat, and where it is told."""


class ChatKey(NamedTuple):
    """What names a chat."""

    workspace_id: str
    chat_id: str


@dataclass(frozen=True)
class Reading:
    """What was there at a time of the database's clock: in these workspaces, the chats that were new by then."""

    at: datetime
    workspace_ids: AbstractSet[str] = frozenset()
    chats: AbstractSet[ChatKey] = frozenset()

    def news(self, before: "Reading") -> Mapping[str, AbstractSet[str]]:
        """Return the ids of the chats that were not there before, by workspace, of those that were read before."""
        new = defaultdict(set)
        for workspace_id, chat_id in self.chats - before.chats:
            if workspace_id in before.workspace_ids:
                new[workspace_id].add(chat_id)
        return new


async def read_after(session: AsyncSession, before: Reading, workspace_ids: AbstractSet[str]) -> Reading:
    """Read the keys of the chats of some workspaces that were opened after a reading, or up to `OVERLAP` before it."""
    since = before.at - OVERLAP
    chats_since = select(literal(None, UtcDateTime()), ChatSession.workspace_id, ChatSession.id).where(
        among(ChatSession.workspace_id, workspace_ids), ChatSession.created_at > since
    )
    # In one statement with the clock, so that there is one statement where nothing is new.
    rows = await session.execute(select(utcnow(), literal(None, Text()), literal(None, Text())).union_all(chats_since))
    at, chats = before.at, set[ChatKey]()
    for now, *key in rows:
        if now is None:
            chats.add(ChatKey(*key))
        else:
            at = max(at, now)  # a clock that is set back must not show again what was forgotten
    return Reading(at, workspace_ids, chats)


async def with_places(session: AsyncSession, workspace_id: str, chat_ids: AbstractSet[str]) -> Sequence[Told]:
    """Read chats of a workspace that can be seen, the oldest first, each with the documents that hold its section."""
    found = await session.scalars(visible.chats(workspace_id).where(among(ChatSession.id, chat_ids)))
    # Sorted here: asked to sort, SQLite would look through all chats of the workspace.
    chats = sorted(found, key=lambda chat: (chat.created_at, chat.id))
    # Not in one statement with the chats: SQLite would begin with the placements, all of them.
    rows = await session.execute(
        visible.documents(workspace_id)
        .join(Placement, visible.placed_in_document())
        .where(among(Placement.section_id, {chat.section_id for chat in chats}))
        .with_only_columns(Placement.section_id, Placement.document_id)
    )
    holding = defaultdict(list)
    for section_id, document_id in rows:
        holding[section_id].append(Place(workspace_id, document_id))
    return [(chat, holding[chat.section_id]) for chat in chats]


class Opened(AsyncIterator[ChatSession]):
    """The chats that one follower is told, in the order in which they became visible.

    `aclose` ends it, and so does the cancellation of whoever waits for the next chat. It is not a generator, because
    closing a generator that was never started runs nothing of it.
    """

    def __init__(self, openings: "Openings", place: Place) -> None:
        self.place = place
        self.established = asyncio.get_running_loop().create_future()
        self._openings = openings
        self._told = asyncio.Queue[ChatSession | Exception](BACKLOG)
        self._ended = False

    async def __anext__(self) -> ChatSession:
        """Wait for the next chat. Raises `FellBehind`, or `Unavailable` where nothing more can be told."""
        if self._ended and self._told.empty():
            raise StopAsyncIteration
        try:
            told = await self._told.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if isinstance(told, Exception):
            raise told
        return told

    async def aclose(self) -> None:
        """Follow no longer."""
        self.end(StopAsyncIteration())

    def tell(self, chat: ChatSession) -> None:
        """Let a chat wait for the follower, who is told no more when too many do."""
        if not self.established.done():
            return  # it was there before
        if self._told.full():
            self.end(FellBehind(f"More than {BACKLOG:,} chats were waiting for their reader"))
        else:
            self._told.put_nowait(chat)

    def end(self, reason: Exception) -> None:
        """Tell nothing more but the reason."""
        if self._ended:
            return
        self._ended = True
        self._openings.leave(self)
        if not self.established.done():
            self.established.set_exception(reason)
            return
        while not self._told.empty():
            self._told.get_nowait()
        self._told.put_nowait(reason)


class Openings:
    """Chats as they are opened, by whichever process; one object for each process.

    One task reads for all who follow a document, as long as there is anybody.
    """

    def __init__(self, database: Database, interval: float = 0.25) -> None:
        self._database = database
        self._interval = interval
        self._followers: dict[Place, set[Opened]] = {}
        self._joining: set[Opened] = set()
        self._asked = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def followers(self) -> int:
        """How many follow a document."""
        return sum(map(len, self._followers.values()))

    async def of(self, workspace_id: str, document_id: str) -> Opened:
        """Follow a document: be told, once each, of the chats of its sections that are opened from now on.

        When this returns, what was there has been read, and every chat whose opening is committed later will be told,
        after an outage too; one that was committed while this was waiting may be told. Whether the document is there
        is not asked. Raises `Unavailable`.
        """
        if self._closed:
            raise Unavailable("The server is ending")
        opened = Opened(self, Place(workspace_id, document_id))
        self._followers.setdefault(opened.place, set()).add(opened)
        self._joining.add(opened)
        self._asked.set()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_on())
            self._reader.add_done_callback(self._ended)
        try:
            await opened.established
        except asyncio.CancelledError:
            await opened.aclose()  # it may have been established just before
            raise
        return opened

    def leave(self, opened: Opened) -> None:
        """Let a follower go; the last one stops the reading."""
        self._joining.discard(opened)
        followers = self._followers[opened.place]
        followers.remove(opened)
        if not followers:
            del self._followers[opened.place]
        if not self._followers:
            self._asked.set()

    async def close(self) -> None:
        """End the reading, and tell every follower so."""
        self._closed = True
        self._end_all("The server is ending")
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    async def _read_on(self) -> None:
        last: Reading | None = None
        out_of_reach = False
        while self._followers:
            self._asked.clear()
            joining, self._joining = self._joining, set()
            try:
                last = await self._tell_after(last)
            except Unavailable as error:
                if not out_of_reach:
                    _log.warning("The chats that are opened cannot be read for now: %s", error)
                out_of_reach = True
                for opened in joining:
                    opened.end(Unavailable(str(error)))
                # Not interrupted by those who come meanwhile: each of them would be one more try at once.
                await asyncio.sleep(self._interval * PATIENCE)
            else:
                if out_of_reach:
                    _log.info("The chats that are opened can be read again")
                out_of_reach = False
                for opened in joining:
                    if not opened.established.done():  # it may be gone
                        opened.established.set_result(None)
                await self._pause()

    async def _tell_after(self, last: Reading | None) -> Reading:
        workspace_ids = frozenset(place.workspace_id for place in self._followers)
        async with self._database.read() as session:
            if last is None:
                last = Reading((await session.scalars(select(utcnow()))).one())
            reading = await read_after(session, last, workspace_ids)
            news: list[Told] = []
            for workspace_id, chat_ids in reading.news(last).items():
                news += await with_places(session, workspace_id, chat_ids)
        for chat, held_by in news:
            for place in held_by:
                for opened in tuple(self._followers.get(place, ())):
                    opened.tell(chat)
        return reading

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._asked.wait()
        except TimeoutError:
            pass

    def _ended(self, reader: asyncio.Task[None]) -> None:
        if not reader.cancelled() and (fault := reader.exception()) is not None:
            _log.error("The chats that are opened cannot be read", exc_info=fault)
            self._end_all("The chats that are opened cannot be read")

    def _end_all(self, reason: str) -> None:
        for opened in [opened for followers in self._followers.values() for opened in followers]:
            opened.end(Unavailable(reason))
