"""Grants: the roles of users on single documents, and the access of documents."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import models
from db.principals import Role
from resolvers import grants as resolvers
from schema.nodes import Edge, Node
from schema.results import result_of
from schema.users import User
from schema.view import View, batched_by, enum_of, field
from services import grants

if TYPE_CHECKING:
    from schema.documents import Document

enum_of(
    models.DocumentAccess,
    "Who may use a document without a grant.",
    {
        models.DocumentAccess.WORKSPACE: "The members of the workspace, by their roles there.",
        models.DocumentAccess.RESTRICTED: "Its creator and the owners of the workspace only.",
    },
)


@strawberry.type(
    description="The role of a user on one document. It can raise the role that the user has otherwise, never lower it."
)
class Grant(View, Node):
    """A grant."""

    represents = models.Grant

    user: User = batched_by(resolvers.users_of_grants, "The user who has the role.")
    # Not `role`, as on ApiKey.
    role: Role = field("The role on the document: READER, COMMENTER or EDITOR.", name="documentRole")
    created_by: User = batched_by(resolvers.granters, "The user who granted the role.", reads=["granted_by"])
    updated_at: datetime = field("When the role was granted.", name="at")


@strawberry.type(description="The user has the role on the document, granted by this call or by an earlier one.")
class GrantRoleSuccess(View):
    """The success of grantRole."""

    represents = grants.GrantRoleSuccess

    grant: Grant = field("The grant.")
    grant_edge: Edge[Grant] = batched_by(
        resolvers.granted_edges, "The grant as an edge of Document.grants, for clients that keep that list."
    )
    document: Annotated["Document", strawberry.lazy("schema.documents")] | None = batched_by(
        resolvers.granted_documents, "The document; null if it was trashed meanwhile."
    )


@strawberry.type(description="The user has no grant on the document. Other roles of the user stay.")
class RevokeRoleSuccess(View):
    """The success of revokeRole."""

    represents = grants.RevokeRoleSuccess

    grant_id: strawberry.ID = field("The id that the grant had, for clients that keep the list of grants.")
    user: User = batched_by(resolvers.users_of_grants, "The user.")
    document: Annotated["Document", strawberry.lazy("schema.documents")] | None = batched_by(
        resolvers.revoked_documents,
        "The document; null if you may not see it any more, or if it was trashed meanwhile.",
    )


@strawberry.type(description="The document has this access, set by this call or by an earlier one.")
class SetDocumentAccessSuccess(View):
    """The success of setDocumentAccess."""

    represents = grants.SetDocumentAccessSuccess

    document: Annotated["Document", strawberry.lazy("schema.documents")] = field("The document.")


@strawberry.type
class Mutations:
    """The mutation fields for grants."""

    grant_role = result_of(
        resolvers.grant_role,
        "Grant a user a role on a document, in place of an earlier grant. The editors of the document may. Safe to "
        "retry.",
        answer="The grant, or the reason it was not made.",
    )
    revoke_role = result_of(
        resolvers.revoke_role,
        "Revoke the grant of a user on a document. The editors of the document may. Safe to retry.",
        answer="The user and the document, or the reason the grant was not revoked.",
    )
    set_document_access = result_of(
        resolvers.set_document_access,
        "Set who may use a document without a grant. Its editors may. If you restrict a document that you did not "
        "create, you get a grant as EDITOR, unless you are an owner. The version of the document stays. Safe to retry.",
        answer="The document, or the reason its access was not set.",
    )
