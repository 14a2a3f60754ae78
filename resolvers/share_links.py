"""Share links: listing, creating and revoking them."""

from collections.abc import Sequence

from db.models import Document, ShareLink
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge
from db.share_links import NEWEST_FIRST
from resolvers.arguments import After, Before, DocId, ExpiresAt, First, Last, SharedRole, ShareLinkId
from resolvers.context import Info, Parents
from services import documents, share_links
from services.paging import page
from services.share_links import CreateShareLinkResult, CreateShareLinkSuccess, RevokeShareLinkResult


async def share_links_of_documents(
    info: Info,
    parents: Parents[Document],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[ShareLink]]]:
    return await share_links.of_documents(info.context.store, parents, page(NEWEST_FIRST, first, after, last, before))


def documents_of_links(info: Info, links: Parents[ShareLink]) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [link.document_id for link in links])


async def create_share_link(
    info: Info, doc_id: DocId, role: SharedRole, expires_at: ExpiresAt = None
) -> CreateShareLinkResult:
    return await share_links.create_share_link(info.context.store, doc_id, role, expires_at)


async def revoke_share_link(info: Info, link_id: ShareLinkId) -> RevokeShareLinkResult:
    return await share_links.revoke_share_link(info.context.store, link_id)


def created_edges(info: Info, created: Parents[CreateShareLinkSuccess]) -> Sequence[Edge[ShareLink]]:
    return [share_links.edge(each.share_link) for each in created]
