"""Legacy rows: reading those of a file that exist, and inserting the rest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection import errors
from db.models import Base, ChatSession, Document, Message, Placement, Section, Workspace
from db.reading.sql_arrays import any_of
from db.times import utcnow

BATCH = 1_000
"""The maximum number of rows in a statement."""


class Taken(Exception):
    """A concurrent transaction inserted a row with the same key since `look`."""


class ChatThere(NamedTuple):
    """A chat that exists already."""

    id: str
    section_id: str
    last_seq: int
    """The stored last number, or the greatest number of a message if that is higher."""


class MessageThere(NamedTuple):
    """A message that exists already."""

    chat_id: str
    content: str


@dataclass(frozen=True)
class There:
    """The existing rows that a file names."""

    now: datetime
    documents: Collection[str]
    placements: Mapping[str, Mapping[str, str]]
    """By document id, the position of each section in the document."""
    sections: Mapping[str, str | None]
    """By section id, the chat that the section points to."""
    chats: Mapping[str, ChatThere]
    """By chat id."""
    chats_by_section: Mapping[str, ChatThere]
    messages: Mapping[str, MessageThere]
    client_ids: Collection[tuple[str, str, str]]
    """The chat, author and client id of each message that has a client id."""


@dataclass
class Rows:
    """The rows to insert, by attribute, and the updates of existing rows."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)
    placements: list[dict[str, Any]] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    last_numbers: dict[str, int] = field(default_factory=dict)
    """The new last number of each existing chat."""
    arranged: list[str] = field(default_factory=list)
    """The existing documents that get new sections."""


async def look(
    session: AsyncSession,
    workspace_id: str,
    document_ids: Collection[str],
    section_ids: Collection[str],
    chat_ids: Collection[str],
    message_ids: Collection[str],
) -> There:
    """Read the existing rows of these ids, and lock them until the transaction ends.

    Rows are locked in the common lock order. Until the end, no chat of theirs is opened, no message posted and no row
    deleted.
    """
    await _one_at_a_time(session, workspace_id)
    now = (await session.execute(select(utcnow()))).scalar_one()
    documents = await _held(session, workspace_id, Document.id, document_ids, Document.id)
    sections = await _held(session, workspace_id, Section.id, section_ids, Section.id, Section.chat_session_id)
    columns = (ChatSession.id, ChatSession.section_id, ChatSession.last_seq)
    by_id = await _held(session, workspace_id, ChatSession.id, chat_ids, *columns)
    by_section = await _held(session, workspace_id, ChatSession.section_id, section_ids, *columns)
    # Read after the sections are locked: a transaction that deleted a section has deleted its placements too.
    placements = await _placements(session, workspace_id, [id for (id,) in documents])
    messages = await _found(
        session, workspace_id, Message.id, message_ids, Message.id, Message.chat_id, Message.content
    )
    chats = {row[0]: ChatThere(*row) for row in (*by_id, *by_section)}
    of_message = (Message.chat_id, Message.author, Message.client_id, Message.seq)
    said = await _found(session, workspace_id, Message.chat_id, chats, *of_message)
    for chat_id, _, _, seq in said:
        if seq > chats[chat_id].last_seq:
            chats[chat_id] = chats[chat_id]._replace(last_seq=seq)
    return There(
        now=now,
        documents={id for (id,) in documents},
        placements=placements,
        sections=dict(sections),
        chats=chats,
        chats_by_section={section_id: chats[id] for id, section_id, _ in by_section},
        messages={id: MessageThere(*rest) for id, *rest in messages},
        client_ids={(chat, author, client) for chat, author, client, _ in said if client is not None},
    )


async def put_in(session: AsyncSession, workspace_id: str, rows: Rows) -> None:
    """Insert the missing rows, referenced tables first. Raises `Taken`."""
    try:
        for kind, values in (
            (Document, rows.documents),
            (Section, rows.sections),
            (Placement, rows.placements),
            (ChatSession, rows.chats),
            (Message, rows.messages),
        ):
            await _insert(session, kind, workspace_id, values)
    except IntegrityError as error:
        if errors.is_unique_violation(error):
            raise Taken from error
        raise
    await _note(session, workspace_id, rows)


async def _note(session: AsyncSession, workspace_id: str, rows: Rows) -> None:
    """Update the versions of existing documents and the last numbers of existing chats."""
    if rows.arranged:
        await session.execute(
            update(Document)
            .where(Document.workspace_id == workspace_id, any_of(Document.id, rows.arranged))
            .values(version=Document.version + 1, updated_at=utcnow())
            .execution_options(synchronize_session=False)
        )
    for chat_id, last_seq in rows.last_numbers.items():
        await session.execute(
            update(ChatSession)
            .where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id)
            .values(last_seq=last_seq, updated_at=utcnow())
            .execution_options(synchronize_session=False)
        )


async def _insert(session: AsyncSession, kind: type[Base], workspace_id: str, values: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(values), BATCH):
        part = [{"workspace_id": workspace_id, **row} for row in values[start : start + BATCH]]
        # Nulls are rendered; otherwise each run of rows with or without one becomes a separate statement.
        await session.execute(insert(kind), part, execution_options={"render_nulls": True})


async def _one_at_a_time(session: AsyncSession, workspace_id: str) -> None:
    """Wait until no other import runs in the workspace: rows that do not exist yet cannot be locked."""
    # FOR NO KEY UPDATE: servers can still insert rows of the workspace meanwhile.
    held = select(Workspace.workspace_id).where(Workspace.workspace_id == workspace_id)
    await session.execute(held.with_for_update(key_share=True))


async def _placements(
    session: AsyncSession, workspace_id: str, document_ids: Collection[str]
) -> Mapping[str, Mapping[str, str]]:
    columns = (Placement.document_id, Placement.section_id, Placement.position)
    found: dict[str, dict[str, str]] = {}
    for document_id, section_id, position in await _found(
        session, workspace_id, Placement.document_id, document_ids, *columns
    ):
        found.setdefault(document_id, {})[section_id] = position
    return found


async def _held(session: AsyncSession, workspace_id: str, key: Any, keys: Collection[str], *columns: Any) -> list[Any]:
    return await _found(session, workspace_id, key, keys, *columns, held=True)


async def _found(
    session: AsyncSession, workspace_id: str, key: Any, keys: Collection[str], *columns: Any, held: bool = False
) -> list[Any]:
    found: list[Any] = []
    kind, sorted_keys = key.class_, sorted(keys)
    for start in range(0, len(sorted_keys), BATCH):
        query = select(*columns).where(
            kind.workspace_id == workspace_id, any_of(key, sorted_keys[start : start + BATCH])
        )
        found += (await session.execute(query.order_by(kind.id).with_for_update() if held else query)).all()
    return found
