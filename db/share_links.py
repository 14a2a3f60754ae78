"""Share links: listing them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Document, ShareLink
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.sql_arrays import any_of
from db.reading.visibility import Viewer

NEWEST_FIRST = Order("shareLinks", (ShareLink.created_at, ShareLink.id), newest_first=True)

SHARE_LINKS = Listing(
    NEWEST_FIRST,
    [ShareLink],
    lambda _dialect, _selected, viewer: Origin(
        select(ShareLink).where(ShareLink.workspace_id == viewer.workspace), {ShareLink: ShareLink}
    ),
    lambda link, place: Edge(link, NEWEST_FIRST, place),
    ShareLink.document_id,
)
"""The share links of a document, revoked ones too, the newest first."""


def of_readable_documents(viewer: Viewer) -> Select[ShareLink]:
    """Select the share links of documents that a viewer may read."""
    document = select(Document.id).where(visibility.readable_document(viewer), Document.id == ShareLink.document_id)
    return select(ShareLink).where(ShareLink.workspace_id == viewer.workspace, document.correlate(ShareLink).exists())


async def count(session: AsyncSession, workspace_id: str, document_ids: Sequence[str]) -> Mapping[str, int]:
    """Count, for each document, its share links."""
    counting = (
        select(ShareLink.document_id, func.count())
        .where(ShareLink.workspace_id == workspace_id, any_of(ShareLink.document_id, document_ids))
        .group_by(ShareLink.document_id)
    )
    return dict((await session.execute(counting)).all())
