"""The chat feed: newly opened chats, delivered to the subscribers of a document.

The database is the only thing that all processes share, so each process polls it: one small statement for all its
subscribers, and two more for each workspace with new chats.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextvars import Context

from db import chat_poll
from db.chat_poll import Delivery, PollSnapshot, Topic
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import ChatSession

BACKLOG = 1_000
"""How many undelivered chats one subscriber may have for longer than `SLOW_CONSUMER_TIMEOUT_S`."""

SLOW_CONSUMER_TIMEOUT_S = 60.0
"""For how many consecutive seconds the backlog may stay full before the subscription ends.

One poll can return any number of chats, for example after an outage. The subscriber is not to blame for that alone.
"""

RETRY_INTERVALS = 4
"""How many poll intervals pass before the next attempt while the database is unavailable."""

MAX_RETRY_INTERVAL_S = 2.0
"""The upper limit of that wait, however long the poll interval."""

POLL_TIMEOUT_S = 10.0
"""How long a poll may take. On a connection that died silently it would never end."""

_log = logging.getLogger("marginalia.database")


class SlowConsumer(Exception):
    """The subscriber did not consume its chats in time, so its subscription ended. It may subscribe again."""


class ChatSubscription(AsyncIterator[ChatSession]):
    """The chats delivered to one subscriber, in the order in which they became visible.

    `aclose` ends it, and so does cancelling the task that awaits the next chat. It is not a generator: closing a
    generator that never started runs none of its code.
    """

    def __init__(self, feed: "ChatFeed", topic: Topic) -> None:
        self.topic = topic
        self.established = asyncio.get_running_loop().create_future()
        self._feed = feed
        self._queue = asyncio.Queue[ChatSession | Exception]()
        self._behind_since: float | None = None
        self._ended = False

    async def __anext__(self) -> ChatSession:
        """Wait for the next chat. Raises `SlowConsumer`, or `DatabaseUnavailable` if the feed has failed."""
        if self._ended and self._queue.empty():
            raise StopAsyncIteration
        try:
            item = await self._queue.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._queue.qsize() < BACKLOG:
            self._behind_since = None
        if isinstance(item, Exception):
            raise item
        return item

    async def aclose(self) -> None:
        """End the subscription."""
        self.end(StopAsyncIteration())

    def deliver(self, chat: ChatSession) -> None:
        """Queue a chat for the subscriber. End the subscription if its backlog stays full for too long."""
        if not self.established.done():
            return  # the chat predates the subscription
        if self._queue.qsize() >= BACKLOG:
            now = asyncio.get_running_loop().time()
            if self._behind_since is None:
                self._behind_since = now
            if now - self._behind_since >= SLOW_CONSUMER_TIMEOUT_S:
                self.end(SlowConsumer(f"More than {BACKLOG:,} undelivered chats"))
                return
        self._queue.put_nowait(chat)

    def end(self, reason: Exception) -> None:
        """Deliver nothing more but the reason."""
        if self._ended:
            return
        self._ended = True
        self._feed.leave(self)
        if not self.established.done():
            self.established.set_exception(reason)
            return
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(reason)


class ChatFeed:
    """The newly opened chats of all processes. Each process has one feed.

    One task polls for all subscribers, as long as there are any.
    """

    def __init__(self, database: Database, interval: float = 0.25) -> None:
        self._database = database
        self._interval = interval
        self._subscribers: dict[Topic, set[ChatSubscription]] = {}
        self._joining: set[ChatSubscription] = set()
        self._wake_up = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def subscribers(self) -> int:
        """The number of established subscriptions. Those that are still joining are not counted."""
        return sum(each.established.done() for subscribers in self._subscribers.values() for each in subscribers)

    async def of(self, workspace_id: str, document_id: str) -> ChatSubscription:
        """Subscribe to the chats opened from now on for sections of a document. Each chat is delivered once.

        When this returns, the existing chats have been read. Every chat committed later is delivered, also after an
        outage. A chat committed while this was waiting may be delivered. The feed does not check that the document
        exists. Raises `DatabaseUnavailable`.
        """
        if self._closed:
            raise DatabaseUnavailable("The server is shutting down")
        subscription = ChatSubscription(self, Topic(workspace_id, document_id))
        self._subscribers.setdefault(subscription.topic, set()).add(subscription)
        self._joining.add(subscription)
        self._wake_up.set()
        if self._poller is None or self._poller.done():
            # A context of its own: the task works for all subscribers, so the first one must not be charged for it.
            self._poller = asyncio.create_task(self._poll_until_unused(), context=Context())
            self._poller.add_done_callback(self._ended)
        try:
            await subscription.established
        except asyncio.CancelledError:
            await subscription.aclose()  # the subscription may have been established just before
            raise
        return subscription

    def leave(self, subscription: ChatSubscription) -> None:
        """Remove a subscriber. The last one stops the polling."""
        self._joining.discard(subscription)
        subscribers = self._subscribers[subscription.topic]
        subscribers.remove(subscription)
        if not subscribers:
            del self._subscribers[subscription.topic]
        if not self._subscribers:
            self._wake_up.set()

    async def close(self) -> None:
        """Stop the polling and end every subscription."""
        self._closed = True
        self._end_all("The server is shutting down")
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])

    async def _poll_until_unused(self) -> None:
        last: PollSnapshot | None = None
        unavailable = False
        while self._subscribers:
            self._wake_up.clear()
            joining, self._joining = self._joining, set()
            try:
                last = await self._deliver_after(last)
            except DatabaseUnavailable as error:
                if not unavailable:
                    _log.warning("Chat updates are temporarily unavailable: %s", error)
                unavailable = True
                for subscription in joining:
                    subscription.end(DatabaseUnavailable(str(error)))
                # New subscribers do not interrupt this wait: each would cause another attempt at once.
                await asyncio.sleep(min(self._interval * RETRY_INTERVALS, MAX_RETRY_INTERVAL_S))
            else:
                if unavailable:
                    _log.info("Chat updates are available again")
                unavailable = False
                for subscription in joining:
                    if not subscription.established.done():  # the subscriber may have left
                        subscription.established.set_result(None)
                await self._pause()

    async def _deliver_after(self, last: PollSnapshot | None) -> PollSnapshot:
        workspace_ids = frozenset(topic.workspace_id for topic in self._subscribers)
        async with self._database.read() as session, asyncio.timeout(POLL_TIMEOUT_S):
            if last is None:
                last = await chat_poll.begin(session)
            snapshot, failed = await chat_poll.read_each_after(session, last, workspace_ids)
            deliveries: list[Delivery | Exception] = []
            for workspace_id, chat_ids in snapshot.news(last).items():
                deliveries += await chat_poll.with_topics(session, workspace_id, chat_ids)
        for workspace_id, fault in failed.items():
            self._end_all(fault, workspace_id)
        for delivery in deliveries:
            if isinstance(delivery, Exception):
                _log.error("A newly opened chat cannot be delivered", exc_info=delivery)
                continue
            for topic in delivery.topics:
                for subscription in tuple(self._subscribers.get(topic, ())):
                    subscription.deliver(delivery.chat)
        return snapshot

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._wake_up.wait()
        except TimeoutError:
            pass

    def _ended(self, poller: asyncio.Task[None]) -> None:
        if not poller.cancelled() and (fault := poller.exception()) is not None:
            self._end_all(fault)

    def _end_all(self, reason: str | BaseException, workspace_id: str | None = None) -> None:
        """End the subscriptions of a workspace, or all of them. A fault is logged, and not shown to subscribers."""
        if isinstance(reason, BaseException):
            _log.error("Chat updates cannot be read", exc_info=reason)
            reason = "Chat updates cannot be read"
        ending = [
            subscription
            for topic, subscribers in self._subscribers.items()
            for subscription in subscribers
            if workspace_id in (None, topic.workspace_id)
        ]
        for subscription in ending:
            subscription.end(DatabaseUnavailable(reason))
