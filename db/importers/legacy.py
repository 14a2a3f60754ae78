"""Legacy rows: what of a file is there already, and putting in the rest."""

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
"""How many rows a statement takes at most."""


class Taken(Exception):
    """Somebody else has put in a row with the same key since we looked."""


class ChatThere(NamedTuple):
    """A chat that is there already."""

    id: str
    section_id: str
    last_seq: int
    """As it is noted, or the greatest number that a message has, where the note is behind."""


class MessageThere(NamedTuple):
    """A message that is there already."""

    chat_id: str
    content: str


@dataclass(frozen=True)
class There:
    """What is there already of what a file names."""

    now: datetime
    documents: Collection[str]
    placements: Mapping[str, Mapping[str, str]]
    """By the document, the position of each section that stands in it."""
    sections: Mapping[str, str | None]
    """The pointer of each."""
    chats: Mapping[str, ChatThere]
    """By their ids."""
    chats_by_section: Mapping[str, ChatThere]
    messages: Mapping[str, MessageThere]
    client_ids: Collection[tuple[str, str, str]]
    """The chat, the author and the client id of each message that has one."""


@dataclass
class Rows:
    """What is to be put in, by attribute, and what becomes of the rows that something is added to."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)
    placements: list[dict[str, Any]] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    last_numbers: dict[str, int] = field(default_factory=dict)
    """The new last number of each chat that is there already."""
    arranged: list[str] = field(default_factory=list)
    """The documents that are there already and get new sections."""


async def look(
    session: AsyncSession,
    workspace_id: str,
    document_ids: Collection[str],
    section_ids: Collection[str],
    chat_ids: Collection[str],
    message_ids: Collection[str],
) -> There:
    """Read what is there of these, and keep it as it is until the transaction ends.

    Rows are locked in the order in which everybody locks them, so that no chat is opened, no message posted and nothing
    taken away meanwhile.
    """
    await _one_at_a_time(session, workspace_id)
    now = (await session.execute(select(utcnow()))).scalar_one()
    documents = await _held(session, workspace_id, Document.id, document_ids, Document.id)
    sections = await _held(session, workspace_id, Section.id, section_ids, Section.id, Section.chat_session_id)
    columns = (ChatSession.id, ChatSession.section_id, ChatSession.last_seq)
    by_id = await _held(session, workspace_id, ChatSession.id, chat_ids, *columns)
    by_section = await _held(session, workspace_id, ChatSession.section_id, section_ids, *columns)
    # After the sections are locked: whoever was taking one away has taken its placements, too.
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
    """Insert rows that are not there, in the order in which they refer to each other. Raises `Taken`."""
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
    """Note in the documents and chats that were there that something was added."""
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
        # With nulls written out; otherwise each run of rows with and without one becomes a statement of its own.
        await session.execute(insert(kind), part, execution_options={"render_nulls": True})


async def _one_at_a_time(session: AsyncSession, workspace_id: str) -> None:
    """Wait until no other import is at work in the workspace: what is not there yet cannot be locked."""
    # Not so hard that rows of the workspace could not come in meanwhile: servers go on writing.
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
