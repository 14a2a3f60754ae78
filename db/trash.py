"""The trash: what is put into it can be brought back, or be taken away for good.

Whoever takes something away first locks its row, which waits for those who open a chat there, and then acts in a
statement of its own, which sees what they did. Rows are locked in the order documents, placements, sections, chats, and
within a table by their keys, so that nobody waits for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Select, delete, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import among
from db.ids import is_findable
from db.models import ChatSession, Document, Message, Placement, Section
from db.paging import Connection, Edge, Order, Page, read_page
from db.times import utcnow

Trashable = TypeVar("Trashable", Document, Section)
"""What can be put into the trash."""

LATEST_FIRST = {
    kind: Order(f"trashed{kind.__name__}s", (kind.deleted_at, kind.id), newest_first=True)
    for kind in (Document, Section)
}
"""What was put into the trash last comes first."""


@dataclass(frozen=True)
class Purged:
    """What is gone for good with a document or a section."""

    section_count: int
    chat_count: int
    message_count: int


async def page(session: AsyncSession, workspace_id: str, kind: type[Trashable], page: Page) -> Connection[Trashable]:
    """Read a page of what a workspace has in the trash, the latest first."""
    trashed = select(kind).where(kind.workspace_id == workspace_id, kind.deleted_at.is_not(None))
    return await read_page(session, trashed, LATEST_FIRST[kind], page, lambda row, cursor: Edge(row[0], cursor))


async def holds(session: AsyncSession, workspace_id: str, kind: type[Trashable], row_id: str) -> bool:
    """Tell whether a row is in the trash."""
    return is_findable(row_id) and bool(
        await session.scalar(
            select(kind.id).where(kind.workspace_id == workspace_id, kind.id == row_id, kind.deleted_at.is_not(None))
        )
    )


async def hold(session: AsyncSession, kind: type[Trashable], workspace_id: str, row_id: str) -> Trashable | None:
    """Lock a row until the transaction ends, in the trash or not, and return it as it is now; None: there is none."""
    if not is_findable(row_id):
        return None
    return await session.scalar(
        select(kind)
        .where(kind.workspace_id == workspace_id, kind.id == row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def put(session: AsyncSession, row: Trashable) -> Trashable:
    """Put a row that is held into the trash; where it is in there already, it stays as it is."""
    return row if row.deleted_at is not None else await _deleted(session, row, utcnow())


async def take_back(session: AsyncSession, row: Trashable) -> Trashable:
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
    # All chats at once, also those that stay and forget the document: nobody waits for one while holding others.
    chat_ids = await _hold_chats(session, workspace_id, going, document.id)
    messages = await _purge_sections(session, workspace_id, going, chat_ids)
    opened_here = (ChatSession.workspace_id == workspace_id, ChatSession.document_id == document.id)
    await session.execute(_plain(update(ChatSession).where(*opened_here).values(document_id=None)))
    await session.execute(
        _plain(delete(Document).where(Document.workspace_id == workspace_id, Document.id == document.id))
    )
    return Purged(len(going), len(chat_ids), messages)


async def hold_section(session: AsyncSession, workspace_id: str, section_id: str) -> Section | None:
    """Lock a section as `hold` does, and before it the placements, which come first in the order of all locks."""
    if is_findable(section_id):
        placed = select(Placement.document_id).where(*_standing(workspace_id, section_id))
        await session.execute(placed.order_by(Placement.document_id).with_for_update())
    return await hold(session, Section, workspace_id, section_id)


async def purge_section(session: AsyncSession, section: Section) -> Purged:
    """Take a section that is held away, wherever it stands, with its chat."""
    await session.execute(_plain(delete(Placement).where(*_standing(section.workspace_id, section.id))))
    chat_ids = await _hold_chats(session, section.workspace_id, [section.id])
    messages = await _purge_sections(session, section.workspace_id, [section.id], chat_ids)
    return Purged(1, len(chat_ids), messages)


def _standing(workspace_id: str, section_id: str) -> tuple[ColumnElement[bool], ...]:
    return Placement.workspace_id == workspace_id, Placement.section_id == section_id


async def _deleted(session: AsyncSession, row: Trashable, at: Any) -> Trashable:
    kind = type(row)
    changed = await session.execute(
        update(kind)
        .where(kind.workspace_id == row.workspace_id, kind.id == row.id)
        .values(deleted_at=at)
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return changed.scalar_one()


async def _hold_chats(
    session: AsyncSession, workspace_id: str, section_ids: Sequence[str], document_id: str | None = None
) -> list[str]:
    """Lock the chats of sections, and those that were opened through a document; return the ids of the former."""
    ours = select(ChatSession.id).where(ChatSession.workspace_id == workspace_id)
    # Each by its own index: asked for either, SQLite would look through all chats of the workspace.
    wanted = union(
        ours.where(among(ChatSession.section_id, section_ids)), ours.where(ChatSession.document_id == document_id)
    )
    rows = await session.execute(
        select(ChatSession.id, ChatSession.section_id)
        .where(ChatSession.workspace_id == workspace_id, ChatSession.id.in_(wanted))
        .order_by(ChatSession.id)
        .with_for_update()
    )
    going = set(section_ids)
    return [chat_id for chat_id, section_id in rows if section_id in going]


async def _purge_sections(
    session: AsyncSession, workspace_id: str, section_ids: Sequence[str], chat_ids: Sequence[str]
) -> int:
    """Take sections and their chats, all of which are held, away; return how many messages went with them."""
    # The chats are held, which has waited for those who post: their messages are among these.
    messages = await session.execute(
        _plain(delete(Message).where(Message.workspace_id == workspace_id, among(Message.chat_id, chat_ids)))
    )
    await session.execute(
        _plain(delete(ChatSession).where(ChatSession.workspace_id == workspace_id, among(ChatSession.id, chat_ids)))
    )
    await session.execute(
        _plain(delete(Section).where(Section.workspace_id == workspace_id, among(Section.id, section_ids)))
    )
    return cast(CursorResult[Any], messages).rowcount


async def _hold_sections(session: AsyncSession, workspace_id: str, section_ids: Sequence[str]) -> None:
    held: Select[Any] = select(Section.id).where(Section.workspace_id == workspace_id, among(Section.id, section_ids))
    await session.execute(held.order_by(Section.id).with_for_update())


def _plain(statement: Any) -> Any:
    # The rows are gone with the transaction; no session has to be told.
    return statement.execution_options(synchronize_session=False)
