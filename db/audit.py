"""The audit: security-relevant acts, written in the transactions of the acts, and listed with filters."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, Text, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from db import ids
from db.inserts import insert_if_absent
from db.locks import Transaction
from db.models import AuditEntry
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.times import EARLIEST, LATEST, UtcDateTime, clamped


class AuditAction(StrEnum):
    """The acts that are recorded."""

    CREATE_API_KEY = "CREATE_API_KEY"
    REVOKE_API_KEY = "REVOKE_API_KEY"
    CREATE_SHARE_LINK = "CREATE_SHARE_LINK"
    REVOKE_SHARE_LINK = "REVOKE_SHARE_LINK"
    GRANT_ROLE = "GRANT_ROLE"
    REVOKE_ROLE = "REVOKE_ROLE"
    SET_DOCUMENT_ACCESS = "SET_DOCUMENT_ACCESS"
    PURGE_DOCUMENT = "PURGE_DOCUMENT"
    PURGE_SECTION = "PURGE_SECTION"
    EXPORT_USER = "EXPORT_USER"
    ERASE_USER = "ERASE_USER"


class AuditOutcome(StrEnum):
    """How an act ended."""

    DONE = "DONE"
    FORBIDDEN = "FORBIDDEN"


@dataclass(frozen=True)
class AuditFilter:
    """What entries must have in common. None: anything."""

    actor: str | None = None
    """The id of a user, as stored."""
    action: AuditAction | None = None
    subject_id: str | None = None
    since: datetime | None = None
    """Only entries of this time or later."""
    until: datetime | None = None
    """Only entries before this time."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters in the condition of a listing."""
        return {
            "actor": self.actor,
            "action": self.action,
            "subject_id": self.subject_id,
            "since": clamped(self.since or EARLIEST),
            "until": clamped(self.until or LATEST),
        }


REFUSAL = f"{ids.AUDIT_ENTRY}refused_"
"""The prefix of the ids of refusals, which follow from the act, the actor and the time."""

NEWEST_FIRST = Order("auditEntries", (AuditEntry.created_at, AuditEntry.id), newest_first=True)


def _matching(workspace_id: Any) -> Select[AuditEntry]:
    """Select the entries that match the parameters of a filter. The times are a range of the index."""

    def matches(column: Any, name: str) -> ColumnElement[bool]:
        wanted: BindParameter[Any] = BindParameter(name, None, Text())
        return or_(cast(wanted, Text()).is_(None), column == wanted)

    return select(AuditEntry).where(
        AuditEntry.workspace_id == workspace_id,
        AuditEntry.created_at >= BindParameter("since", type_=UtcDateTime()),
        AuditEntry.created_at < BindParameter("until", type_=UtcDateTime()),
        matches(AuditEntry.actor, "actor"),
        matches(AuditEntry.action, "action"),
        matches(AuditEntry.subject_id, "subject_id"),
    )


AUDIT_ENTRIES = Listing(
    NEWEST_FIRST,
    [AuditEntry],
    lambda _dialect, _selected, viewer: Origin(_matching(viewer.workspace), {AuditEntry: AuditEntry}),
    lambda entry, place: Edge(entry, NEWEST_FIRST, place),
)
"""The audit entries of a workspace that match the parameters of a filter, the newest first."""


async def count(session: AsyncSession, workspace_id: str, wanted: AuditFilter) -> int:
    """Count the audit entries of a workspace that match a filter."""
    counting = _matching(workspace_id).with_only_columns(func.count(), maintain_column_froms=True)
    return await session.scalar(counting, wanted.parameters) or 0


async def add(transaction: Transaction, entry: AuditEntry) -> None:
    """Store an entry. One whose id exists already is left out."""
    await insert_if_absent(transaction.session, entry, "workspace_id", "id")
