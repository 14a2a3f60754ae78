"""Sections: pieces of text that are placed in one or several documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import ids
from db.documents import SectionEdge
from db.inserts import insert_if_absent
from db.models import Document, Placement, Section
from db.placements import Arrangement, At
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Page, counted
from db.store import Store, Transaction
from services import access, storage, validation
from services.access import Action
from services.commands import command
from services.edits import Changed, Fields, change, change_by, stripped
from services.idempotency import creation_digest, earlier_section
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    SectionNotFound,
    SectionNotInDocument,
    StorageLimitExceeded,
    TemporarilyUnavailable,
    VersionConflict,
)


@dataclass(frozen=True)
class CreateSectionSuccess:
    """The new section and its placement."""

    section: Section
    document_id: str
    placement: Placement | None
    """None if an earlier call created the section and it was removed from the document since."""


@dataclass(frozen=True)
class UpdateSectionSuccess:
    """The section, and whether the call changed it."""

    section: Section
    is_changed: bool


CreateSectionResult = (
    CreateSectionSuccess
    | DocumentNotFound
    | SectionNotInDocument
    | InvalidInput
    | IdTaken
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)
UpdateSectionResult = (
    UpdateSectionSuccess
    | SectionNotFound
    | InvalidInput
    | VersionConflict
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)


@command
async def create_section(
    store: Store, document_id: str, fields: Fields, at: At, own_id: str | None
) -> CreateSectionResult:
    """Create a section and place it in a document."""
    if refused := await access.on_document(store, Action.ARRANGE_SECTIONS, document_id):
        return refused
    violations = (*validation.section_fields(fields), validation.caller_id(ids.SECTION, own_id))
    if invalid := validation.invalid(*validation.within("section", violations)):
        return invalid
    if full := storage.refusal(store):
        return full
    section = Section(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.SECTION),
        creation_digest=creation_digest(own_id, document_id, *(str(each) for each in sorted(fields.items()))),
        created_by=store.principal.user_id,
        is_generated=change_by(store, fields).is_generated,
        **stripped(fields),
    )

    async def create(
        transaction: Transaction,
    ) -> CreateSectionSuccess | DocumentNotFound | SectionNotInDocument | IdTaken:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        created = await insert_if_absent(transaction.session, section, "workspace_id", "id")
        if created is None:
            return IdTaken(section.id)
        placement = await arrangement.place(created.id, at)
        if placement is None:
            return SectionNotInDocument(document_id, str(at.neighbour))
        return CreateSectionSuccess(created, document_id, placement)

    result = await store.transact(create)
    if isinstance(result, IdTaken) and (earlier := await earlier_section(store, document_id, section)):
        return CreateSectionSuccess(*earlier)
    return result


@command
async def update_section(
    store: Store, section_id: str, fields: Fields, expected_version: int | None, summary: str | None
) -> UpdateSectionResult:
    """Change a section, in all documents that hold it. A call that changes nothing makes no version."""
    if refused := await access.on_section(store, Action.EDIT, section_id):
        return refused
    if invalid := validation.invalid(
        *validation.within("changes", validation.section_fields(fields)),
        validation.summary(summary),
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    result = await change(store, Section, section_id, fields, expected_version, summary)
    if isinstance(result, Changed):
        return UpdateSectionSuccess(result.row, result.is_changed)
    return result or SectionNotFound(section_id)


def of_ids(store: Store, section_ids: Sequence[str]) -> AwaitableOrValue[Sequence[Loaded[Section | None]]]:
    """Return sections by their ids."""
    return store.load.sections.many(section_ids)


def section(store: Store, section_id: str) -> AwaitableOrValue[Section | None]:
    """Return the section with this id, if the principal may see it."""
    return store.load.sections.get(section_id)


def edge(section: Section, placement: Placement) -> SectionEdge:
    """Return the edge of a section in the connection of a document."""
    return SectionEdge(section, placement)


async def documents_of(store: Store, sections: Sequence[Section], page: Page) -> Sequence[Loaded[Connection[Document]]]:
    """Return, for each section, a page of the documents that contain it, newest first."""
    pages = await store.load.pages_of_documents.load_many([(section.id, page) for section in sections])
    return [
        counted(found, partial(store.load.counts_of_documents.get, section.id))
        for section, found in zip(sections, pages, strict=True)
    ]
