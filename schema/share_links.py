"""Share links: secrets whose holders have a role on one document."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import models
from db.principals import Role
from resolvers import share_links as resolvers
from resolvers import users
from schema.nodes import Edge, Node
from schema.results import result_of
from schema.users import User
from schema.view import View, batched_by, field
from services import share_links

if TYPE_CHECKING:
    from schema.documents import Document


@strawberry.type(description="A secret whose holder has a role on one document.")
class ShareLink(View, Node):
    """A share link; its secret and the digest of it are never shown."""

    represents = models.ShareLink

    document: Annotated["Document", strawberry.lazy("schema.documents")] | None = batched_by(
        resolvers.documents_of_links, "The document that is shared; null if it was trashed meanwhile."
    )
    # As on ApiKey.
    role: Role = field("The role on the document: READER or COMMENTER.", name="documentRole")
    created_by: User = batched_by(users.creators, "The user who created the link.", reads=["created_by"])
    created_at: datetime = field("When the link was created.")
    expires_at: datetime | None = field("When the link expires; null if it never does.")
    revoked_at: datetime | None = field("When the link was revoked; null if it was not.")


@strawberry.type(description="The share link was created. This is the only time that its secret is shown.")
class CreateShareLinkSuccess(View):
    """The success of createShareLink."""

    represents = share_links.CreateShareLinkSuccess

    secret: str = field("The secret, for the header `Authorization: Bearer`. It is stored nowhere: keep it safe.")
    share_link: ShareLink = field("The new share link.")
    share_link_edge: Edge[ShareLink] = batched_by(
        resolvers.created_edges, "The new link as an edge of Document.shareLinks, for clients that keep that list."
    )


@strawberry.type(description="The share link is revoked, by this call or by an earlier one.")
class RevokeShareLinkSuccess(View):
    """The success of revokeShareLink."""

    represents = share_links.RevokeShareLinkSuccess

    share_link: ShareLink = field("The share link, with the time of its revocation.")


@strawberry.type
class Mutations:
    """The mutation fields for share links."""

    create_share_link = result_of(
        resolvers.create_share_link,
        "Create a share link of a document, for readers or commenters. Its editors may. A retry creates another link: "
        "revoke the one whose secret was lost.",
        answer="The new share link with its secret, or the reason it was not created.",
    )
    revoke_share_link = result_of(
        resolvers.revoke_share_link,
        "Revoke a share link for good. The editors of its document may. Safe to retry.",
        answer="The revoked share link, or the reason it was not revoked.",
    )
