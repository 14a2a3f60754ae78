"""The trash: what is put into it can be brought back, or be taken away for good.

Whoever takes something away first locks its row, which waits for those who open a chat there, and then acts in a
statement of its own, which sees what they did. Rows are locked in the order documents, placements, sections, chats, and
within a table by their keys, so that nobody waits for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import among
from db.ids import is_findable
from db.models import ChatSession, Document, Message, Placement, Section
from db.times import utcnow

R = TypeVar("R", Document, Section)


@dataclass(frozen=True)
class Purged:
    """What is gone for good with a document or a section."""

    section_count: int
    chat_count: int
    message_count: int


async def hold(session: AsyncSession, kind: type[R], workspace_id: str, row_id: str) -> R | None:
    """Lock a row until the transaction ends, in the trash or not, and return it as it is now; None: there is none."""
    if not is_findable(row_id):
        return None
    return await session.scalar(
        select(kind)
        .where(kind.workspace_id == workspace_id, kind.id == row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def put(session: AsyncSession, row: R) -> R:
    """Put a row that is held into the trash; where it is in there already, it stays as it is."""
    return row if row.deleted_at is not None else await _deleted(session, row, utcnow())


async def take_back(session: AsyncSession, row: R) -> R:
    """Take a row that is held out of the trash, unless it is out already."""
    return row if row.deleted_at is None else await _deleted(session, row, None)


async def purge_document(session: AsyncSession, document: Document) -> Purged:
    """Take a document that is held away, and the sections that stand in no other, not even in the trash."""
    workspace_id = document.workspace_id
    here = (Placement.workspace_id == workspace_id, Placement.document_id == document.id)
    held = select(Placement.section_id).where(*here).order_by(Placement.section_id).with_for_update()
    section_ids = (await session.scalars(held)).all()
    await _hold_sections(session, workspace_id, section_ids)
    # Whoever places one of them elsewhere has done so, or waits for the lock.
    elsewhere = await session.scalars(
        select(Placement.section_id)
        .where(
            Placement.workspace_id == workspace_id,
            among(Placement.section_id, section_ids),
            Placement.document_id != document.id,
        )
        .distinct()
    )
    going = sorted(set(section_ids) - set(elsewhere))
    await session.execute(_plain(delete(Placement).where(*here)))
    chats, messages = await _purge_sections(session, workspace_id, going)
    opened_here = (ChatSession.workspace_id == workspace_id, ChatSession.document_id == document.id)
    await session.execute(_plain(update(ChatSession).where(*opened_here).values(document_id=None)))
    await session.execute(
        _plain(delete(Document).where(Document.workspace_id == workspace_id, Document.id == document.id))
    )
    return Purged(len(going), chats, messages)


async def hold_section(session: AsyncSession, workspace_id: str, section_id: str) -> Section | None:
    """Lock a section as `hold` does, and before it the placements, which come first in the order of all locks."""
    if is_findable(section_id):
        placed = select(Placement.document_id).where(*_standing(workspace_id, section_id))
        await session.execute(placed.order_by(Placement.document_id).with_for_update())
    return await hold(session, Section, workspace_id, section_id)


async def purge_section(session: AsyncSession, section: Section) -> Purged:
    """Take a section that is held away, wherever it stands, with its chat."""
    await session.execute(_plain(delete(Placement).where(*_standing(section.workspace_id, section.id))))
    chats, messages = await _purge_sections(session, section.workspace_id, [section.id])
    return Purged(1, chats, messages)


def _standing(workspace_id: str, section_id: str) -> tuple[ColumnElement[bool], ...]:
    return Placement.workspace_id == workspace_id, Placement.section_id == section_id


async def _deleted(session: AsyncSession, row: R, at: Any) -> R:
    kind = type(row)
    changed = await session.execute(
        update(kind)
        .where(kind.workspace_id == row.workspace_id, kind.id == row.id)
        .values(deleted_at=at)
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return changed.scalar_one()


async def _purge_sections(session: AsyncSession, workspace_id: str, section_ids: Sequence[str]) -> tuple[int, int]:
    """Take sections that are held away, with their chats; return how many chats and messages went with them."""
    chats = select(ChatSession.id).where(
        ChatSession.workspace_id == workspace_id, among(ChatSession.section_id, section_ids)
    )
    # First the chats, which waits for those who post; then the messages, those included.
    chat_ids = (await session.scalars(chats.order_by(ChatSession.id).with_for_update())).all()
    messages = await session.execute(
        _plain(delete(Message).where(Message.workspace_id == workspace_id, among(Message.chat_id, chat_ids)))
    )
    await session.execute(
        _plain(delete(ChatSession).where(ChatSession.workspace_id == workspace_id, among(ChatSession.id, chat_ids)))
    )
    await session.execute(
        _plain(delete(Section).where(Section.workspace_id == workspace_id, among(Section.id, section_ids)))
    )
    return len(chat_ids), cast(CursorResult[Any], messages).rowcount


async def _hold_sections(session: AsyncSession, workspace_id: str, section_ids: Sequence[str]) -> None:
    held: Select[Any] = select(Section.id).where(Section.workspace_id == workspace_id, among(Section.id, section_ids))
    await session.execute(held.order_by(Section.id).with_for_update())


def _plain(statement: Any) -> Any:
    # The rows are gone with the transaction; no session has to be told.
    return statement.execution_options(synchronize_session=False)
