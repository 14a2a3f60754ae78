"""People: everything that a workspace holds of a user, read for an export, and erased in portions.

The columns that name users have no index of their own, so each table is walked once along its key, in stretches.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import ids
from db.audit import REFUSAL
from db.connection.database import Database
from db.locks import Strength, Transaction
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Section,
    SectionRevision,
    ShareLink,
    User,
    UserKind,
)
from db.reading.sql_arrays import any_of
from db.reading.walks import Key, Place, stretch
from db.times import utcnow

ERASED = "erased_"
"""The prefix of the id that takes the place of the id of an erased user."""

ERASED_NAME = "Erased user"
ERASED_KEY_NAME = "Erased"

STRETCH = 1_000
"""The maximum number of rows of a stretch, and so of the rows that one transaction changes."""

ROWS = 50
"""The maximum number of rows that an export reads at once: each may have a long text."""


Within = Sequence[ColumnElement[bool]]
"""The condition of a stretch of a table."""


@dataclass(frozen=True)
class Trace:
    """Where a table names users: a condition for the rows that name one, and the key along which it is walked."""

    kind: type[Base]
    key: Key
    names: Callable[[str], ColumnElement[bool]]


def _named_by_entry(user_id: str) -> ColumnElement[bool]:
    node_id = ids.USER + user_id
    return or_(
        AuditEntry.actor == user_id,
        AuditEntry.subject_id == node_id,
        AuditEntry.details["userId"].as_string() == node_id,
    )


def _made_or_changed(kind: type[Document | Section]) -> Callable[[str], ColumnElement[bool]]:
    return lambda user_id: or_(kind.created_by == user_id, kind.edited_by == user_id)


TRACES: Sequence[Trace] = (
    # What gives rights comes first.
    Trace(
        Grant,
        (Grant.workspace_id, Grant.document_id, Grant.user_id),
        lambda user_id: or_(Grant.user_id == user_id, Grant.granted_by == user_id),
    ),
    Trace(ShareLink, (ShareLink.workspace_id, ShareLink.id), ShareLink.created_by.__eq__),
    Trace(ApiKey, (ApiKey.workspace_id, ApiKey.id), ApiKey.created_by.__eq__),
    Trace(Message, (Message.workspace_id, Message.id), Message.author.__eq__),
    Trace(Document, (Document.workspace_id, Document.id), _made_or_changed(Document)),
    Trace(Section, (Section.workspace_id, Section.id), _made_or_changed(Section)),
    Trace(
        DocumentRevision,
        (DocumentRevision.workspace_id, DocumentRevision.document_id, DocumentRevision.version),
        DocumentRevision.edited_by.__eq__,
    ),
    Trace(
        SectionRevision,
        (SectionRevision.workspace_id, SectionRevision.section_id, SectionRevision.version),
        SectionRevision.edited_by.__eq__,
    ),
    Trace(ChatSession, (ChatSession.workspace_id, ChatSession.id), ChatSession.created_by.__eq__),
    Trace(AuditEntry, (AuditEntry.workspace_id, AuditEntry.id), _named_by_entry),
)
"""Every table that names users, but for `users` itself."""


async def user(session: AsyncSession, workspace_id: str, user_id: str) -> User | None:
    """Read a user, if a token of theirs was seen."""
    return await session.scalar(select(User).filter_by(workspace_id=workspace_id, id=user_id))


async def places(database: Database, workspace_id: str, trace: Trace, user_id: str) -> AsyncIterator[Within]:
    """Yield the condition of each stretch that has rows which name a user. Raises `DatabaseUnavailable`."""
    after: Place | None = None
    while True:
        async with database.read() as session:
            found = await stretch(session, trace.key, workspace_id, after, STRETCH)
            there = select(func.count()).select_from(trace.kind).where(*found.within, trace.names(user_id))
            is_named = await session.scalar(there)
        if is_named:
            yield found.within
        if found.end is None:
            return
        after = found.end


async def rows(database: Database, workspace_id: str, trace: Trace, user_id: str) -> AsyncIterator[Sequence[Any]]:
    """Yield the rows that name a user, some at a time. Raises `DatabaseUnavailable`."""
    place = tuple_(*trace.key[1:])
    async for within in places(database, workspace_id, trace, user_id):
        named = select(trace.kind).where(*within, trace.names(user_id)).order_by(*trace.key[1:]).limit(ROWS)
        query = named
        while True:
            async with database.read() as session:
                some = (await session.scalars(query)).all()
            if some:
                yield some
            if len(some) < ROWS:
                break
            last = some[-1]
            query = named.where(place > tuple_(*(getattr(last, column.key) for column in trace.key[1:])))


async def anchors_of_chats(
    session: AsyncSession, workspace_id: str, chat_ids: Sequence[str]
) -> Mapping[str, tuple[str, str | None]]:
    """Read, for each chat, its section and the document through which it was opened."""
    found = await session.execute(
        select(ChatSession.id, ChatSession.section_id, ChatSession.document_id).where(
            ChatSession.workspace_id == workspace_id, any_of(ChatSession.id, chat_ids)
        )
    )
    return {chat_id: (section_id, document_id) for chat_id, section_id, document_id in found}


async def erase(transaction: Transaction, trace: Trace, within: Within, user_id: str, pseudonym: str) -> int:
    """Erase a user from a stretch of a table. Returns the number of the rows that named them.

    Messages become empty, and their numbers stay. Grants of the user are deleted; the share links and API keys that
    they made are revoked. Elsewhere the pseudonym takes the place of the id, and the summaries of changes are gone.
    """
    named = (*within, trace.names(user_id))
    if trace.kind is Message:
        return await _empty_messages(transaction, named, pseudonym)
    # Locked in the order of their keys, so that two transactions which change many rows cannot deadlock.
    locked = (await transaction.lock(trace.kind, select(*trace.key[1:]).where(*named).order_by(*trace.key[1:]))).all()
    session, kind = transaction.session, trace.kind
    if kind is Grant:
        await session.execute(_plain(delete(Grant).where(*within, Grant.user_id == user_id)))
        granted = update(Grant).where(*within, Grant.granted_by == user_id)
        await session.execute(_plain(granted.values(granted_by=pseudonym)))
    elif kind is AuditEntry:
        await _rename_in_entries(session, named, user_id, pseudonym)
    elif kind in (Document, Section, DocumentRevision, SectionRevision):
        edited: Any = kind
        summaries = update(kind).where(*within, edited.edited_by == user_id)
        await session.execute(_plain(summaries.values(edited_by=pseudonym, change_summary=None)))
        if kind in (Document, Section):
            made = update(kind).where(*within, edited.created_by == user_id)
            await session.execute(_plain(made.values(created_by=pseudonym)))
    else:
        changes: dict[str, Any] = {"created_by": pseudonym}
        if kind is ShareLink:
            changes["revoked_at"] = func.coalesce(ShareLink.revoked_at, utcnow())
        if kind is ApiKey:
            changes |= {"revoked_at": func.coalesce(ApiKey.revoked_at, utcnow()), "name": ERASED_KEY_NAME}
        await session.execute(_plain(update(kind).where(*named).values(changes)))
    return len(locked)


async def erase_user(transaction: Transaction, user_id: str, pseudonym: str, *, is_named: bool) -> None:
    """Erase the name and the avatar of a user, who has the pseudonym as id from then on.

    A user whom no token has named gets a name with the pseudonym, if rows name the pseudonym.
    """
    session, workspace_id = transaction.session, transaction.workspace_id
    anonymous = {"id": pseudonym, "name": ERASED_NAME, "avatar_url": None, "named_at": None}
    known = await session.execute(
        _plain(update(User).where(User.workspace_id == workspace_id, User.id == user_id).values(anonymous)).returning(
            User.id
        )
    )
    if known.first() is None and is_named:
        await session.execute(insert(User).values(workspace_id=workspace_id, kind=UserKind.PERSON, **anonymous))


async def _empty_messages(transaction: Transaction, named: Within, pseudonym: str) -> int:
    session, workspace_id = transaction.session, transaction.workspace_id
    found = (await session.execute(select(Message.id, Message.chat_id).where(*named))).all()
    chats = select(ChatSession.id).where(
        ChatSession.workspace_id == workspace_id, any_of(ChatSession.id, {row.chat_id for row in found})
    )
    # A purge deletes messages under the lock of their chat; it waits, or has committed.
    await transaction.lock(ChatSession, chats.order_by(ChatSession.id), Strength.SHARE)
    emptied = await session.execute(
        _plain(
            update(Message)
            .where(*named)
            .values(author=pseudonym, content="", client_id=None, updated_at=utcnow())
            .returning(Message.id)
        )
    )
    return len(emptied.all())


async def _rename_in_entries(session: AsyncSession, named: Within, user_id: str, pseudonym: str) -> None:
    before, after = ids.USER + user_id, ids.USER + pseudonym
    entries = (await session.execute(select(AuditEntry.id, AuditEntry.details).where(*named))).all()
    # Before the ids change, they are in the stretch for certain.
    for column, old, new in ((AuditEntry.actor, user_id, pseudonym), (AuditEntry.subject_id, before, after)):
        await session.execute(_plain(update(AuditEntry).where(*named[:-1], column == old).values({column.key: new})))
    for entry_id, details in entries:
        changed = update(AuditEntry).where(named[0], AuditEntry.id == entry_id)
        if details.get("userId") == before:
            await session.execute(_plain(changed.values(details={**details, "userId": after})))
        if entry_id.startswith(REFUSAL):
            # A digest of the id of the user, by which a guess could be confirmed.
            await session.execute(_plain(changed.values(id=ids.new(ids.AUDIT_ENTRY))))


def _plain(statement: Any) -> Any:
    # The session ends with the transaction and need not be synchronized.
    return statement.execution_options(synchronize_session=False)
