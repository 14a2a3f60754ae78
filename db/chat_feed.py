"""Openings: the chats as they are opened, by whichever process, told to those who follow a document.

The database is the only thing that all processes share, so it is asked again and again: one small statement for all
who follow something in this process, and two more for each workspace that has news.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextvars import Context

from db import chat_poll
from db.chat_poll import Place, Reading, Told
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import ChatSession

BACKLOG = 1_000
"""How many chats may wait for one follower for longer than `BEHIND`."""

BEHIND = 60.0
"""For how many seconds on end more than that may wait.

One reading can bring any number, after an outage for example: that alone is nothing that a follower is to blame for.
"""

PATIENCE = 4
"""How many intervals pass before the next try while the database is out of reach."""

LONGEST_PAUSE = 2.0
"""How many seconds that is at most, however long the interval."""

LONGEST_READING = 10.0
"""How many seconds a reading may take: on a connection that died without a word it would take for ever."""

_log = logging.getLogger("marginalia.database")


class SlowConsumer(Exception):
    """A follower did not take what it was told, and is told no more; it may follow the document again."""


class ChatSubscription(AsyncIterator[ChatSession]):
    """The chats that one follower is told, in the order in which they became visible.

    `aclose` ends it, and so does the cancellation of whoever waits for the next chat. It is not a generator, because
    closing a generator that was never started runs nothing of it.
    """

    def __init__(self, openings: "ChatFeed", place: Place) -> None:
        self.place = place
        self.established = asyncio.get_running_loop().create_future()
        self._openings = openings
        self._told = asyncio.Queue[ChatSession | Exception]()
        self._behind_since: float | None = None
        self._ended = False

    async def __anext__(self) -> ChatSession:
        """Wait for the next chat. Raises `SlowConsumer`, or `DatabaseUnavailable` where nothing more can be told."""
        if self._ended and self._told.empty():
            raise StopAsyncIteration
        try:
            told = await self._told.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._told.qsize() < BACKLOG:
            self._behind_since = None
        if isinstance(told, Exception):
            raise told
        return told

    async def aclose(self) -> None:
        """Follow no longer."""
        self.end(StopAsyncIteration())

    def tell(self, chat: ChatSession) -> None:
        """Let a chat wait for the follower, who is told no more when too many do for too long."""
        if not self.established.done():
            return  # it was there before
        if self._told.qsize() >= BACKLOG:
            now = asyncio.get_running_loop().time()
            if self._behind_since is None:
                self._behind_since = now
            if now - self._behind_since >= BEHIND:
                self.end(SlowConsumer(f"More than {BACKLOG:,} chats were waiting for their reader"))
                return
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


class ChatFeed:
    """Chats as they are opened, by whichever process; one object for each process.

    One task reads for all who follow a document, as long as there is anybody.
    """

    def __init__(self, database: Database, interval: float = 0.25) -> None:
        self._database = database
        self._interval = interval
        self._followers: dict[Place, set[ChatSubscription]] = {}
        self._joining: set[ChatSubscription] = set()
        self._asked = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def followers(self) -> int:
        """How many follow a document: those who are only joining do not yet."""
        return sum(opened.established.done() for followers in self._followers.values() for opened in followers)

    async def of(self, workspace_id: str, document_id: str) -> ChatSubscription:
        """Follow a document: be told, once each, of the chats of its sections that are opened from now on.

        When this returns, what was there has been read, and every chat whose opening is committed later will be told,
        after an outage too; one that was committed while this was waiting may be told. Whether the document is there
        is not asked. Raises `DatabaseUnavailable`.
        """
        if self._closed:
            raise DatabaseUnavailable("The server is ending")
        opened = ChatSubscription(self, Place(workspace_id, document_id))
        self._followers.setdefault(opened.place, set()).add(opened)
        self._joining.add(opened)
        self._asked.set()
        if self._reader is None or self._reader.done():
            # In a context of its own: it works for all, and nothing of it should be counted for the one who came first.
            self._reader = asyncio.create_task(self._read_on(), context=Context())
            self._reader.add_done_callback(self._ended)
        try:
            await opened.established
        except asyncio.CancelledError:
            await opened.aclose()  # it may have been established just before
            raise
        return opened

    def leave(self, opened: ChatSubscription) -> None:
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
            except DatabaseUnavailable as error:
                if not out_of_reach:
                    _log.warning("The chats that are opened cannot be read for now: %s", error)
                out_of_reach = True
                for opened in joining:
                    opened.end(DatabaseUnavailable(str(error)))
                # Not interrupted by those who come meanwhile: each of them would be one more try at once.
                await asyncio.sleep(min(self._interval * PATIENCE, LONGEST_PAUSE))
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
        async with self._database.read() as session, asyncio.timeout(LONGEST_READING):
            if last is None:
                last = await chat_poll.begin(session)
            reading, failed = await chat_poll.read_each_after(session, last, workspace_ids)
            news: list[Told | Exception] = []
            for workspace_id, chat_ids in reading.news(last).items():
                news += await chat_poll.with_places(session, workspace_id, chat_ids)
        for workspace_id, fault in failed.items():
            self._end_all(fault, workspace_id)
        for told in news:
            if isinstance(told, Exception):
                _log.error("A chat that was opened cannot be told", exc_info=told)
                continue
            for place in told.places:
                for opened in tuple(self._followers.get(place, ())):
                    opened.tell(told.chat)
        return reading

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._asked.wait()
        except TimeoutError:
            pass

    def _ended(self, reader: asyncio.Task[None]) -> None:
        if not reader.cancelled() and (fault := reader.exception()) is not None:
            self._end_all(fault)

    def _end_all(self, reason: str | BaseException, workspace_id: str | None = None) -> None:
        """End the followers of a workspace, or all; a fault is logged, and not shown to them."""
        if isinstance(reason, BaseException):
            _log.error("The chats that are opened cannot be read", exc_info=reason)
            reason = "The chats that are opened cannot be read"
        ending = [
            opened
            for place, followers in self._followers.items()
            for opened in followers
            if workspace_id in (None, place.workspace_id)
        ]
        for opened in ending:
            opened.end(DatabaseUnavailable(reason))
