"""Sync: a document is brought to what its editor shows now, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db import ids, sync
from db.inserts import insert_absent
from db.models import Document, Section, SectionStatus
from db.placements import Arrangement
from db.revisions import Change
from db.store import Store, Transaction
from services import access, limits, storage, validation
from services.access import Action
from services.commands import command
from services.edits import Fields, change_by, status_step, stripped
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    StorageLimitExceeded,
    TemporarilyUnavailable,
    VersionConflict,
    Violation,
)

_DEFAULTS: Fields = {
    "title": None,
    "level": 1,
    "content": "",
    "status": SectionStatus.DRAFT,
    "tags": [],
    "details": {},
}


@dataclass(frozen=True)
class SyncDocumentSuccess:
    """The document, and the ids of the sections that the call created, updated, moved or removed."""

    document: Document
    is_changed: bool
    created: Sequence[str]
    updated: Sequence[str]
    moved: Sequence[str]
    """As few as possible, of those that were in the document before."""
    placed: Sequence[str]
    """Sections that existed and were not in the document."""
    removed: Sequence[str]
    unchanged_count: int


SyncDocumentResult = (
    SyncDocumentSuccess
    | DocumentNotFound
    | InvalidInput
    | VersionConflict
    | IdTaken
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)

Wanted = Mapping[str, Fields]
"""The given fields of each section, by id, in the order of the document."""


@command
async def sync_document(
    store: Store,
    document_id: str,
    title: str | None,
    sections: Sequence[tuple[str | None, Fields]],
    expected_version: int | None,
) -> SyncDocumentResult:
    """Bring a document to what its editor shows: its title, if given, and its sections in their order.

    Sections with new ids are created, others get the given fields, and those that are left out are removed from the
    document and kept. What an editor sends again changes nothing.
    """
    if refused := await access.on_document(store, Action.EDIT, document_id):
        return refused
    if invalid := validation.invalid(validation.title(title), *_violations(sections)):
        return invalid
    if full := storage.refusal(store):
        return full
    wanted = {str(section_id): stripped(fields) for section_id, fields in sections}
    rights = await _rights(store, list(wanted))

    async def work(transaction: Transaction) -> SyncDocumentResult:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        before = arrangement.document.version
        if expected_version not in (None, before):
            return VersionConflict(document_id, before)
        plan = await arrangement.plan(list(wanted))
        await arrangement.lock_removed(plan)
        there = await sync.lock_sections(transaction, list(wanted))
        if refused := _refused(there, rights):
            return refused
        changes: dict[str, tuple[Fields, Change]] = {}
        for number, (section_id, given) in enumerate(wanted.items()):
            section = there.get(section_id)
            fields = None if section is None else _changed(section, given)
            if section is None or fields is None:
                continue
            if violation := status_step(f"sections.{number}.status", section.status, fields["status"]):
                return violation
            changes[section_id] = fields, change_by(store, fields)
        new = [_section(store, section_id, fields) for section_id, fields in wanted.items() if section_id not in there]
        inserted = await insert_absent(transaction.session, new, "workspace_id", "id")
        if taken := [section.id for section in new if section.id not in inserted]:
            return IdTaken(taken[0])
        await sync.change(transaction, changes)
        if title is not None and title.strip() != arrangement.document.title:
            await arrangement.change(title=title.strip())
        await arrangement.carry_out(plan)
        touched = inserted | changes.keys() | set(plan.moved) | set(plan.placed)
        return SyncDocumentSuccess(
            document=arrangement.document,
            is_changed=bool(changes) or arrangement.document.version > before,
            created=[section.id for section in new],
            updated=[section_id for section_id in wanted if section_id in changes],
            moved=plan.moved,
            placed=[section_id for section_id in plan.placed if section_id not in inserted],
            removed=plan.removed,
            unchanged_count=len(wanted.keys() - touched),
        )

    return await store.transact(work)


def _violations(sections: Sequence[tuple[str | None, Fields]]) -> Sequence[Violation]:
    if len(sections) > limits.IMPORTED_SECTIONS:
        return [Violation(("sections",), f"are more than {limits.IMPORTED_SECTIONS:,}")]
    found: list[Violation] = []
    seen: set[str] = set()
    for number, (section_id, fields) in enumerate(sections):
        checked = [*validation.section_fields(fields), validation.caller_id(ids.SECTION, section_id)]
        if section_id is None:
            checked.append(Violation(("id",), "is missing"))
        elif section_id in seen:
            checked.append(Violation(("id",), "is that of an earlier section"))
        else:
            seen.add(section_id)
        found += [Violation(("sections", str(number), *each.path), each.message) for each in checked if each]
    return found


async def _rights(store: Store, section_ids: Sequence[str]) -> Mapping[str, bool]:
    """Return, for each section that the principal may read, whether it may edit and place it."""
    roles = await access.roles_on_sections(store, section_ids)
    found = {}
    for section_id, role in zip(section_ids, roles, strict=True):
        if isinstance(role, Exception):
            raise role
        if role is not None:
            found[section_id] = access.may(role, Action.EDIT)
    return found


def _refused(there: Mapping[str, Section], rights: Mapping[str, bool]) -> IdTaken | Forbidden | None:
    for section_id, section in there.items():
        # In a workspace, an id is taken by a hidden or trashed section too.
        if section.deleted_at is not None or section_id not in rights:
            return IdTaken(section_id)
        if not rights[section_id]:
            return Forbidden(section_id)
    return None


def _changed(section: Section, given: Fields) -> Fields | None:
    """Return all fields of a section as they become. None: the given ones are what it has."""
    if all(getattr(section, name) == value for name, value in given.items()):
        return None
    return {name: given.get(name, getattr(section, name)) for name in sync.FIELDS}


def _section(store: Store, section_id: str, given: Fields) -> Section:
    fields: dict[str, Any] = {**_DEFAULTS, **given}
    return Section(
        workspace_id=store.workspace_id,
        id=section_id,
        created_by=store.principal.user_id,
        is_generated=change_by(store, fields).is_generated,
        **fields,
    )
