"""Reverts: documents and sections get an earlier version back, as a new one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db import revisions
from db.locks import lock_all_for_share, lock_for_change
from db.models import Document, Section
from db.placements import Arrangement
from db.store import Store, Transaction
from services import access, storage, validation
from services.access import Action
from services.commands import command
from services.edits import change_by
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    InvalidInput,
    SectionNotFound,
    StorageLimitExceeded,
    TemporarilyUnavailable,
    VersionConflict,
    VersionNotFound,
)

SECTION_FIELDS = ("title", "level", "content", "status", "tags", "details", "link_definitions")
DOCUMENT_FIELDS = ("title", "description", "tags", "details")


@dataclass(frozen=True)
class RevertSectionSuccess:
    """The section, and whether the call changed it."""

    section: Section
    is_changed: bool


@dataclass(frozen=True)
class RevertDocumentSuccess:
    """The document, and whether the call changed it."""

    document: Document
    is_changed: bool
    missing_count: int
    """The number of sections that the document held then and that did not come back: they are trashed or purged."""


RevertSectionResult = (
    RevertSectionSuccess
    | SectionNotFound
    | VersionNotFound
    | VersionConflict
    | InvalidInput
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)
RevertDocumentResult = (
    RevertDocumentSuccess
    | DocumentNotFound
    | VersionNotFound
    | VersionConflict
    | InvalidInput
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)


@command
async def revert_section(
    store: Store, section_id: str, version: int, expected_version: int | None, summary: str | None
) -> RevertSectionResult:
    """Give a section all fields of an earlier version back. The versions since then stay in its history."""
    if refused := await access.on_section(store, Action.EDIT, section_id):
        return refused
    if invalid := validation.invalid(validation.summary(summary)):
        return invalid
    if full := storage.refusal(store):
        return full

    async def revert(
        transaction: Transaction,
    ) -> RevertSectionSuccess | SectionNotFound | VersionNotFound | VersionConflict:
        section = await lock_for_change(transaction, Section, section_id)
        if section is None:
            return SectionNotFound(section_id)
        if expected_version not in (None, section.version):
            return VersionConflict(section_id, section.version)
        then = await revisions.of_version(transaction, Section, section_id, version)
        if then is None:
            return VersionNotFound(section_id, version)
        changes = _differing(section, then, SECTION_FIELDS)
        if not changes:
            return RevertSectionSuccess(section, is_changed=False)
        by = change_by(store, changes, summary or _summary(version))
        return RevertSectionSuccess(await revisions.change(transaction, section, by, **changes), is_changed=True)

    return await store.transact(revert)


@command
async def revert_document(
    store: Store, document_id: str, version: int, expected_version: int | None, summary: str | None
) -> RevertDocumentResult:
    """Give a document the fields and the arrangement of an earlier version back.

    The texts of its sections stay as they are: they can stand in other documents too. A section that is trashed or
    purged does not come back.
    """
    if refused := await access.on_document(store, Action.EDIT, document_id):
        return refused
    if invalid := validation.invalid(validation.summary(summary)):
        return invalid
    if full := storage.refusal(store):
        return full
    then = await store.load.document_versions.load((document_id, version))
    if then is None:
        return VersionNotFound(document_id, version)
    section_ids = [section_id for _, section_id in await store.load.orders_at.load(then)]
    # As in `place_section`: who only reads a section could publish it.
    roles = await access.roles_on_sections(store, section_ids)
    for section_id, role in zip(section_ids, roles, strict=True):
        if isinstance(role, Exception):
            raise role
        if not access.may(role, Action.ARRANGE_SECTIONS):
            return Forbidden(section_id)

    async def revert(transaction: Transaction) -> RevertDocumentSuccess | DocumentNotFound | VersionConflict:
        by = change_by(store, summary=summary or _summary(version))
        arrangement = await Arrangement.lock(transaction, document_id, by)
        if arrangement is None:
            return DocumentNotFound(document_id)
        before = arrangement.document.version
        if expected_version not in (None, before):
            return VersionConflict(document_id, before)
        plan = await arrangement.plan(section_ids)
        await arrangement.lock_removed(plan)
        live = await lock_all_for_share(transaction, section_ids)
        if len(live) < len(section_ids):  # some were trashed meanwhile
            plan = await arrangement.plan([section_id for section_id in section_ids if section_id in live])
        await arrangement.change(**_differing(arrangement.document, then, DOCUMENT_FIELDS))
        await arrangement.carry_out(plan)
        missing = await revisions.count_held(transaction, then) - len(live)
        return RevertDocumentSuccess(arrangement.document, arrangement.document.version > before, missing)

    return await store.transact(revert)


def _differing(row: Any, then: Any, fields: Sequence[str]) -> dict[str, Any]:
    """Return the fields that were different then, as they were."""
    return {name: getattr(then, name) for name in fields if getattr(row, name) != getattr(then, name)}


def _summary(version: int) -> str:
    return f"Reverted to version {version}"
