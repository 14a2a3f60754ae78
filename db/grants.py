"""Grants: listing, giving and revoking the roles of users on single documents, and the access of documents."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.inserts import insert_or_change
from db.locks import Transaction
from db.models import Document, DocumentAccess, Grant
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.sql_arrays import any_of

BY_USER = Order("grants", (Grant.user_id,))

GRANTS = Listing(
    BY_USER,
    [Grant],
    lambda _dialect, _selected, viewer: Origin(
        select(Grant).where(Grant.workspace_id == viewer.workspace), {Grant: Grant}
    ),
    lambda grant, place: Edge(grant, BY_USER, place),
    Grant.document_id,
)
"""The grants on a document, ordered by the ids of their users."""


async def count(session: AsyncSession, workspace_id: str, document_ids: Sequence[str]) -> Mapping[str, int]:
    """Count, for each document, its grants."""
    counting = (
        select(Grant.document_id, func.count())
        .where(Grant.workspace_id == workspace_id, any_of(Grant.document_id, document_ids))
        .group_by(Grant.document_id)
    )
    return dict((await session.execute(counting)).all())


async def of_keys(
    session: AsyncSession, workspace_id: str, keys: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Grant]:
    """Read grants by the ids of their documents and users."""
    found = await session.scalars(
        select(Grant).where(
            Grant.workspace_id == workspace_id,
            any_of(Grant.document_id, {document_id for document_id, _ in keys}),
            any_of(Grant.user_id, {user_id for _, user_id in keys}),
        )
    )
    return {(grant.document_id, grant.user_id): grant for grant in found}


async def give(transaction: Transaction, grant: Grant) -> Grant | None:
    """Store a grant on a locked document, or change the role of the user's grant there. None: it has this role."""
    transaction.reach(Grant)
    return await insert_or_change(
        transaction.session, grant, "workspace_id", "document_id", "user_id", change="role", also=["granted_by"]
    )


async def grant(transaction: Transaction, document_id: str, user_id: str) -> Grant:
    """Read a grant that exists."""
    found = await transaction.session.scalars(
        select(Grant).filter_by(workspace_id=transaction.workspace_id, document_id=document_id, user_id=user_id)
    )
    return found.one()


async def revoke(transaction: Transaction, document_id: str, user_id: str) -> bool:
    """Delete a grant. False: there is none."""
    transaction.reach(Grant)
    gone = await transaction.session.execute(
        delete(Grant)
        .where(
            Grant.workspace_id == transaction.workspace_id,
            Grant.document_id == document_id,
            Grant.user_id == user_id,
        )
        .returning(Grant.user_id)
        .execution_options(synchronize_session=False)
    )
    return gone.first() is not None


async def set_access(transaction: Transaction, document: Document, access: DocumentAccess) -> Document:
    """Set who may use a locked document, and return it as stored. Its version stays: no text and no order changes."""
    changed = await transaction.session.execute(
        update(Document)
        .where(Document.workspace_id == transaction.workspace_id, Document.id == document.id)
        .values(access=access)
        .returning(Document)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return changed.scalar_one()
