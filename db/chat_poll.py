"""The chat poll: the chats of some workspaces that are new since the previous snapshot, and their documents."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Text, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import ChatSession, Placement
from db.reading import visibility
from db.reading.bisection import read_each
from db.reading.sql_arrays import any_of
from db.reading.visibility import Viewer
from db.times import UtcDateTime, utcnow

OVERLAP = timedelta(minutes=2)
"""How far each poll looks back behind the previous snapshot.

A chat carries the time of the statement that opened it, but becomes visible at the commit: later than chats that were
opened after it. PostgreSQL ends that statement after 30 seconds, lock waits included, and its idle transaction after
60 more (`db/connection/postgresql.py`). A retry takes a new time. SQLite stamps under its one write lock. If the
clock was set back by more than this, chats opened until it has caught up stay hidden.
"""


class Topic(NamedTuple):
    """A document that clients can subscribe to."""

    workspace_id: str
    document_id: str


class Delivery(NamedTuple):
    """A chat, and the topics it is delivered to."""

    chat: ChatSession
    topics: Sequence[Topic]


class ChatKey(NamedTuple):
    """The primary key of a chat."""

    workspace_id: str
    chat_id: str


@dataclass(frozen=True)
class PollSnapshot:
    """The recent chats of some workspaces, as read at one time of the database's clock."""

    at: datetime
    workspace_ids: AbstractSet[str] = frozenset()
    chats: AbstractSet[ChatKey] = frozenset()

    def news(self, before: "PollSnapshot") -> Mapping[str, AbstractSet[str]]:
        """Return the ids of the chats that `before` lacks, by workspace, for workspaces that both snapshots cover."""
        new = defaultdict(set)
        for workspace_id, chat_id in self.chats - before.chats:
            if workspace_id in before.workspace_ids:
                new[workspace_id].add(chat_id)
        return new


async def begin(session: AsyncSession) -> PollSnapshot:
    """Return the first snapshot: no workspaces, at the database's current time."""
    return PollSnapshot((await session.scalars(select(utcnow()))).one())


async def read_after(session: AsyncSession, before: PollSnapshot, workspace_ids: AbstractSet[str]) -> PollSnapshot:
    """Read the keys of the chats opened in some workspaces since a snapshot, or up to `OVERLAP` before it."""
    since = before.at - OVERLAP
    chats_since = select(literal(None, UtcDateTime()), ChatSession.workspace_id, ChatSession.id).where(
        any_of(ChatSession.workspace_id, workspace_ids), ChatSession.created_at > since
    )
    # The clock is read in the same statement, so a poll without new chats costs one statement.
    rows = await session.execute(select(utcnow(), literal(None, Text()), literal(None, Text())).union_all(chats_since))
    at, chats = before.at, set[ChatKey]()
    for now, *key in rows:
        if now is None:
            # An id that is not text cannot be looked up; the doctor reports it.
            if all(isinstance(part, str) for part in key):
                chats.add(ChatKey(*key))
        else:
            at = max(at, now)  # a clock that is set back must not deliver chats twice
    return PollSnapshot(at, workspace_ids, chats)


async def read_each_after(
    session: AsyncSession, before: PollSnapshot, workspace_ids: AbstractSet[str]
) -> tuple[PollSnapshot, Mapping[str, Exception]]:
    """Read as `read_after` does. A workspace that cannot be read is left out and returned with its error."""

    async def read(ids: Sequence[str]) -> Mapping[str, PollSnapshot]:
        return dict.fromkeys(ids, await read_after(session, before, frozenset(ids)))

    found = await read_each(read, list(workspace_ids))
    failed = {workspace_id: each for workspace_id, each in found.items() if isinstance(each, Exception)}
    snapshots = [each for each in found.values() if isinstance(each, PollSnapshot)]
    # The earliest of the times: a chat may have been opened between two statements.
    at = min((snapshot.at for snapshot in snapshots), default=before.at)
    return PollSnapshot(
        at, workspace_ids - failed.keys(), frozenset().union(*(each.chats for each in snapshots))
    ), failed


async def with_topics(
    session: AsyncSession, workspace_id: str, chat_ids: AbstractSet[str]
) -> Sequence[Delivery | Exception]:
    """Read the visible chats of a workspace, the oldest first, each with the documents that hold its section.

    The error takes the place of a chat that cannot be read.
    """
    found = await read_each(lambda ids: _with_topics(session, workspace_id, ids), list(chat_ids))
    # Sorted here: an ORDER BY would make SQLite scan all chats of the workspace.
    return sorted(found.values(), key=_age)


def _age(delivery: Delivery | Exception) -> tuple[datetime, str]:
    # An unreadable time cannot be compared with others.
    at = None if isinstance(delivery, Exception) else delivery.chat.created_at
    return (at, delivery.chat.id) if isinstance(delivery, Delivery) and isinstance(at, datetime) else (_BEFORE_ALL, "")


async def _with_topics(session: AsyncSession, workspace_id: str, chat_ids: Sequence[str]) -> Mapping[str, Delivery]:
    everything = Viewer.of_all(workspace_id)  # each subscriber is asked again with what it may see
    found = await session.scalars(visibility.chats(everything).where(any_of(ChatSession.id, chat_ids)))
    chats = found.all()
    # A statement of its own: joined with the chats, SQLite would begin with all the placements.
    rows = await session.execute(
        visibility.documents(everything)
        .join(Placement, visibility.placed_in_document())
        .where(any_of(Placement.section_id, {chat.section_id for chat in chats}))
        .with_only_columns(Placement.section_id, Placement.document_id)
    )
    holding = defaultdict(list)
    for section_id, document_id in rows:
        holding[section_id].append(Topic(workspace_id, document_id))
    return {chat.id: Delivery(chat, holding[chat.section_id]) for chat in chats}


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
