"""Edits: changing the fields of documents and sections, so that their earlier versions stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic

from db import revisions
from db.locks import lock_for_change
from db.models import SectionStatus, Trashable, UserKind
from db.revisions import Change
from db.store import Store, Transaction
from services.outcomes import InvalidInput, VersionConflict

Fields = Mapping[str, Any]
"""Fields of a section or a document by name, without those that the caller left out."""

NEXT_STATUSES: Mapping[SectionStatus, frozenset[SectionStatus]] = {
    SectionStatus.DRAFT: frozenset({SectionStatus.GENERATED, SectionStatus.REVIEWED}),
    SectionStatus.GENERATED: frozenset({SectionStatus.DRAFT, SectionStatus.REVIEWED}),
    SectionStatus.REVIEWED: frozenset({SectionStatus.DRAFT, SectionStatus.GENERATED, SectionStatus.APPROVED}),
    SectionStatus.APPROVED: frozenset({SectionStatus.DRAFT}),
}
"""The statuses that may follow each: nothing is approved that was not reviewed."""


@dataclass(frozen=True)
class Changed(Generic[Trashable]):
    """A document or a section after a change, and whether the change made a difference."""

    row: Trashable
    is_changed: bool


async def change(
    store: Store,
    kind: type[Trashable],
    row_id: str,
    fields: Fields,
    expected_version: int | None,
    summary: str | None,
) -> Changed[Trashable] | VersionConflict | InvalidInput | None:
    """Change the fields of a document or a section. None: it does not exist or is trashed.

    The fields are valid. A status is checked here, because it depends on the one before.
    """
    wanted = stripped(fields)

    async def work(transaction: Transaction) -> Changed[Trashable] | VersionConflict | InvalidInput | None:
        row = await lock_for_change(transaction, kind, row_id)
        if row is None:
            return None
        if expected_version not in (None, row.version):
            return VersionConflict(row_id, row.version)
        changes = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        if not changes:
            return Changed(row, is_changed=False)
        if invalid := status_step("changes.status", getattr(row, "status", ""), changes.get("status")):
            return invalid
        by = change_by(store, changes, summary)
        return Changed(await revisions.change(transaction, row, by, **changes), is_changed=True)

    return await store.transact(work)


def change_by(store: Store, fields: Fields = MappingProxyType({}), summary: str | None = None) -> Change:
    """Return who changes fields, and why. A machine wrote what the assistant sends, and what becomes `GENERATED`."""
    principal = store.principal
    is_generated = principal.kind is UserKind.ASSISTANT or fields.get("status") is SectionStatus.GENERATED
    return Change(principal.user_id, summary, is_generated)


def stripped(fields: Fields) -> dict[str, Any]:
    """Return fields without the blanks around a title."""
    title = fields.get("title")
    return dict(fields) if title is None else {**fields, "title": title.strip()}


def status_step(argument: str, before: str, after: str | None) -> InvalidInput | None:
    """Return the violation of an argument that is a status which may not follow another; None: it stays."""
    if after in (None, before):
        return None
    following = NEXT_STATUSES[SectionStatus(before)]
    if after in following:
        return None
    return InvalidInput.of(argument, f"is {after}; after {before} it can be {' or '.join(sorted(following))}")
