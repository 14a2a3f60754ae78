"""The audit: records security-relevant acts and refusals, and lists them for the owners of a workspace."""

import hashlib
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeVar

import structlog

from db import audit, ids
from db.audit import AuditAction, AuditFilter, AuditOutcome
from db.models import AuditEntry, UserKind
from db.reading.cursors import Key
from db.reading.paging import Connection, Page, connection
from db.store import Store, Transaction
from services import access
from services.access import Action
from services.outcomes import BadArgument, Forbidden
from services.paging import every

Answer = TypeVar("Answer")

now = time.time
"""The clock of refusals."""

REFUSALS_INTERVAL_S = 60
"""Of the refusals of one act to one principal in an interval, the first is recorded: a script cannot fill the disk."""


async def record(
    transaction: Transaction,
    store: Store,
    act: AuditAction,
    subject_id: str | None,
    *,
    actor: str | None = None,
    **details: str | int,
) -> None:
    """Record an act of the principal in the transaction of the act. The details hold no secret and no text.

    `actor` stands in place of the id of the principal, if given.
    """
    entry = _entry(store, ids.new(ids.AUDIT_ENTRY), act, subject_id, AuditOutcome.DONE, details)
    entry.actor = actor or entry.actor
    await audit.add(transaction, entry)


async def refusal(store: Store, action: Action, act: AuditAction) -> Forbidden | None:
    """Return `Forbidden`, and record it, if the role in the workspace does not allow an action; else None.

    Raises `DatabaseUnavailable`: no refusal is answered before it is recorded.
    """
    return await recorded(store, act, access.on_workspace(store, action))


async def recorded(store: Store, act: AuditAction, answer: Answer) -> Answer:
    """Return an answer, and record it if it is `Forbidden`. Raises `DatabaseUnavailable`."""
    if isinstance(answer, Forbidden):
        entry = _entry(store, _id_of_refusal(store, act), act, answer.subject_id, AuditOutcome.FORBIDDEN, {})
        await store.transact(lambda transaction: audit.add(transaction, entry))
    return answer


async def entries(store: Store, wanted: AuditFilter, page: Page) -> Connection[AuditEntry]:
    """Return a page of the entries that match a filter, newest first; empty for principals who may not read them.

    Raises `BadArgument` for a time without a time zone.
    """
    for name, moment in (("since", wanted.since), ("until", wanted.until)):
        if moment is not None and moment.tzinfo is None:
            raise BadArgument(f"filter.{name} has no time zone")
    named = [each for each in (wanted.actor, wanted.subject_id) if each is not None]
    if not access.may(store.principal.role, Action.READ_AUDIT) or not all(map(ids.is_findable, named)):
        return connection([], Page(0))
    found = await store.audit_entries(wanted, page)
    return found.counted_by(lambda: store.count_audit_entries(wanted))


async def all_entries(store: Store, wanted: AuditFilter) -> AsyncIterator[AuditEntry]:
    """Return all entries that match a filter, the oldest first, read page by page."""
    if access.may(store.principal.role, Action.READ_AUDIT):
        async for each in every(partial(store.audit_entries, wanted), _place, from_end=True):
            yield each


async def entry(store: Store, entry_id: str) -> AuditEntry | None:
    """Return the entry with this id, if the principal may read the audit."""
    return (
        await store.load.audit_entries.load(entry_id) if access.may(store.principal.role, Action.READ_AUDIT) else None
    )


def _entry(
    store: Store,
    entry_id: str,
    act: AuditAction,
    subject_id: str | None,
    outcome: AuditOutcome,
    details: dict[str, Any],
) -> AuditEntry:
    if store.principal.key_id is not None:
        details = {**details, "keyId": store.principal.key_id}
    return AuditEntry(
        workspace_id=store.workspace_id,
        id=entry_id,
        actor=store.principal.user_id,
        action=act,
        subject_id=subject_id,
        outcome=outcome,
        # The transports bind it, for the log.
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        details=details,
    )


def _place(entry: AuditEntry) -> Key:
    return entry.created_at, entry.id


def _id_of_refusal(store: Store, act: AuditAction) -> str:
    """Return the same id for the same act of a principal within an interval: the first entry stays, in any process."""
    principal = store.principal
    # A guest may choose another name with each request.
    who = UserKind.GUEST if principal.kind is UserKind.GUEST else principal.user_id
    of_interval = f"{now() // REFUSALS_INTERVAL_S:.0f}\0{act}\0{who}"
    return f"{audit.REFUSAL}{hashlib.sha256(of_interval.encode()).hexdigest()[:32]}"
