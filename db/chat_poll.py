"""Readings: which chats of some workspaces are new since the reading before, and where they stand."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Text, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.bisection import read_each
from db.models import ChatSession, Placement
from db.reading import visibility
from db.reading.sql_arrays import any_of
from db.times import UtcDateTime, utcnow

OVERLAP = timedelta(minutes=2)
"""How far each reading looks back behind the one before it.

A chat has the time of the statement that opened it, and is seen only after the commit: later than others that were
opened after it. PostgreSQL gives that statement 30 seconds, all its waiting for locks included, and its transaction 60
more to go on (`db/connection/database.py`); one that is run again takes a new time. SQLite stamps under the one write lock.
A clock that was set back by more than this hides the chats opened until it has caught up.
"""


class Place(NamedTuple):
    """A document that can be followed."""

    workspace_id: str
    document_id: str


class Told(NamedTuple):
    """A chat, and where it is told."""

    chat: ChatSession
    places: Sequence[Place]


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


async def begin(session: AsyncSession) -> Reading:
    """Return the reading from which others go on: of no workspace, at the time of the database."""
    return Reading((await session.scalars(select(utcnow()))).one())


async def read_after(session: AsyncSession, before: Reading, workspace_ids: AbstractSet[str]) -> Reading:
    """Read the keys of the chats of some workspaces that were opened after a reading, or up to `OVERLAP` before it."""
    since = before.at - OVERLAP
    chats_since = select(literal(None, UtcDateTime()), ChatSession.workspace_id, ChatSession.id).where(
        any_of(ChatSession.workspace_id, workspace_ids), ChatSession.created_at > since
    )
    # In one statement with the clock, so that there is one statement where nothing is new.
    rows = await session.execute(select(utcnow(), literal(None, Text()), literal(None, Text())).union_all(chats_since))
    at, chats = before.at, set[ChatKey]()
    for now, *key in rows:
        if now is None:
            # An id that is no text cannot be asked for; the doctor finds it.
            if all(isinstance(part, str) for part in key):
                chats.add(ChatKey(*key))
        else:
            at = max(at, now)  # a clock that is set back must not show again what was forgotten
    return Reading(at, workspace_ids, chats)


async def read_each_after(
    session: AsyncSession, before: Reading, workspace_ids: AbstractSet[str]
) -> tuple[Reading, Mapping[str, Exception]]:
    """Read as `read_after` does; a workspace that cannot be read is left out, and told of with what went wrong."""

    async def read(ids: Sequence[str]) -> Mapping[str, Reading]:
        return dict.fromkeys(ids, await read_after(session, before, frozenset(ids)))

    found = await read_each(read, list(workspace_ids))
    failed = {workspace_id: each for workspace_id, each in found.items() if isinstance(each, Exception)}
    readings = [each for each in found.values() if isinstance(each, Reading)]
    # The earliest of their times: between two statements somebody may have opened a chat.
    at = min((reading.at for reading in readings), default=before.at)
    return Reading(at, workspace_ids - failed.keys(), frozenset().union(*(each.chats for each in readings))), failed


async def with_places(
    session: AsyncSession, workspace_id: str, chat_ids: AbstractSet[str]
) -> Sequence[Told | Exception]:
    """Read chats of a workspace that can be seen, the oldest first, each with the documents that hold its section.

    In place of a chat that cannot be read stands what went wrong with it.
    """
    found = await read_each(lambda ids: _with_places(session, workspace_id, ids), list(chat_ids))
    # Sorted here: asked to sort, SQLite would look through all chats of the workspace.
    return sorted(found.values(), key=_age)


def _age(told: Told | Exception) -> tuple[datetime, str]:
    # A time that cannot be read is no time to compare with others.
    at = None if isinstance(told, Exception) else told.chat.created_at
    return (at, told.chat.id) if isinstance(told, Told) and isinstance(at, datetime) else (_BEFORE_ALL, "")


async def _with_places(session: AsyncSession, workspace_id: str, chat_ids: Sequence[str]) -> Mapping[str, Told]:
    found = await session.scalars(visibility.chats(workspace_id).where(any_of(ChatSession.id, chat_ids)))
    chats = found.all()
    # Not in one statement with the chats: SQLite would begin with the placements, all of them.
    rows = await session.execute(
        visibility.documents(workspace_id)
        .join(Placement, visibility.placed_in_document())
        .where(any_of(Placement.section_id, {chat.section_id for chat in chats}))
        .with_only_columns(Placement.section_id, Placement.document_id)
    )
    holding = defaultdict(list)
    for section_id, document_id in rows:
        holding[section_id].append(Place(workspace_id, document_id))
    return {chat.id: Told(chat, holding[chat.section_id]) for chat in chats}


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
