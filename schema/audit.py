"""The audit: security-relevant acts, listed for owners."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from db import models
from db.audit import AuditAction, AuditOutcome
from resolvers import audit as resolvers
from schema.nodes import Connection, Node
from schema.users import User
from schema.view import View, batched_by, enum_of, field, input_of, resolved_by

enum_of(
    AuditAction,
    "A security-relevant act. It is named like the mutation that performs it.",
    {
        AuditAction.CREATE_API_KEY: "An API key was created.",
        AuditAction.REVOKE_API_KEY: "An API key was revoked.",
        AuditAction.CREATE_SHARE_LINK: "A share link was created.",
        AuditAction.REVOKE_SHARE_LINK: "A share link was revoked.",
        AuditAction.GRANT_ROLE: "A role on a document was granted or changed.",
        AuditAction.REVOKE_ROLE: "A role on a document was revoked.",
        AuditAction.SET_DOCUMENT_ACCESS: "A document was restricted, or opened to its workspace.",
        AuditAction.PURGE_DOCUMENT: "The purge of a document began, which cannot be undone.",
        AuditAction.PURGE_SECTION: "The purge of a section began, which cannot be undone.",
        AuditAction.EXPORT_USER: "Everything that a user wrote was exported.",
        AuditAction.ERASE_USER: "A user was erased.",
    },
)
enum_of(
    AuditOutcome,
    "How a security-relevant act ended.",
    {
        AuditOutcome.DONE: "It was done.",
        AuditOutcome.FORBIDDEN: "The role of the actor did not allow it. Of the refusals of one act to one actor in a "
        "minute, the first is recorded.",
    },
)


input_of(
    resolvers.Filter,
    "AuditFilter",
    "What audit entries must have in common. A field that is left out matches all.",
)


@strawberry.type(
    description="A security-relevant act: who did what to which object, and with what outcome. It holds no secret and "
    "no text."
)
class AuditEntry(View, Node):
    """An audit entry."""

    represents = models.AuditEntry

    actor: User = batched_by(resolvers.actors, "The user who acted.", reads=["actor"])
    action: AuditAction = field("The act.")
    subject_id: strawberry.ID | None = field(
        "The id of the object that the act was on; null for an act on the workspace."
    )
    outcome: AuditOutcome = field("How the act ended.")
    request_id: str | None = field(
        "The id of the request, as in the log; null for an act from the command line of the server."
    )
    details: JSON = field("Facts about the act, such as the role that was granted, as a JSON object.")
    created_at: datetime = field("When the act was recorded.", name="at")


@strawberry.type
class Queries:
    """The query fields for the audit."""

    audit_entries: Connection[AuditEntry] | None = resolved_by(
        resolvers.audit_entries,
        "The security-relevant acts in your workspace, newest first. It is empty unless you are an owner, and null "
        "only if an error occurred.",
    )
