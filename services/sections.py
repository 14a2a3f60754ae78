"""Sections: pieces of text that are placed in one or several documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import documents, ids
from db.documents import SectionEdge
from db.inserts import insert_if_absent
from db.locks import lock_for_share
from db.models import Document, Placement, Section
from db.reading.loaders import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Page, counted
from db.store import Store, Transaction
from services import access, limits, storage, validation
from services.access import Action
from services.commands import command
from services.idempotency import CREATION, creation_digest, is_retry_of
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    SectionNotFound,
    SectionNotInDocument,
    StorageLimitExceeded,
    TemporarilyUnavailable,
)


@dataclass(frozen=True)
class CreateSectionSuccess:
    """The new section and its placement."""

    section: Section
    document_id: str
    placement: Placement | None
    """None if an earlier call created the section and it was removed from the document since."""


@dataclass(frozen=True)
class PlaceSectionSuccess:
    """The placement of the section, made by this call or earlier."""

    placement: Placement


@dataclass(frozen=True)
class RemoveSectionSuccess:
    """The section, which is kept, and the document that it was removed from."""

    section: Section
    document_id: str


CreateSectionResult = (
    CreateSectionSuccess
    | DocumentNotFound
    | InvalidInput
    | IdTaken
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)
PlaceSectionResult = PlaceSectionSuccess | DocumentNotFound | SectionNotFound | Forbidden | TemporarilyUnavailable
RemoveSectionResult = (
    RemoveSectionSuccess
    | DocumentNotFound
    | SectionNotFound
    | SectionNotInDocument
    | Forbidden
    | TemporarilyUnavailable
)


@command
async def create_section(
    store: Store,
    document_id: str,
    title: str,
    content: str | None,
    level: int | None,
    own_id: str | None,
) -> CreateSectionResult:
    """Create a section and place it at the end of a document."""
    if refused := await access.on_document(store, Action.ARRANGE_SECTIONS, document_id):
        return refused
    if invalid := validation.invalid(
        validation.title(title),
        validation.text("content", content, limits.CONTENT_LENGTH),
        validation.level(level),
        validation.caller_id(ids.SECTION, own_id),
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    section = Section(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.SECTION),
        title=title.strip(),
        level=1 if level is None else level,
        content=content or "",
        creation_digest=creation_digest(own_id, document_id, title, content, level),
        created_by=store.principal.user_id,
    )

    async def create(transaction: Transaction) -> CreateSectionSuccess | DocumentNotFound | IdTaken:
        if not await documents.bump_version(transaction, document_id):
            return DocumentNotFound(document_id)
        created = await insert_if_absent(transaction.session, section, "workspace_id", "id")
        if created is None:
            return IdTaken(section.id)
        placement = await documents.append(transaction, document_id, created.id)
        return CreateSectionSuccess(created, document_id, placement)

    result = await store.transact(create)
    return await _earlier(store, document_id, section) or result if isinstance(result, IdTaken) else result


async def _earlier(store: Store, document_id: str, repeated: Section) -> CreateSectionSuccess | None:
    """Return the result of the earlier call, if this call is its retry."""
    anchor = await store.anchor(document_id, repeated.id, also=CREATION)
    if anchor.section is None or not is_retry_of(anchor.section, repeated):
        return None
    return CreateSectionSuccess(anchor.section, document_id, anchor.placement)


@command
async def place_section(store: Store, document_id: str, section_id: str) -> PlaceSectionResult:
    """Place an existing section at the end of a document; a section that is already there keeps its position."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if refused := await access.on_document(store, Action.ARRANGE_SECTIONS, document_id, is_known=True):
        return refused
    if anchor.placement is not None:
        return PlaceSectionSuccess(anchor.placement)
    # Otherwise a reader of the section could publish it.
    if forbidden := await access.on_section(store, Action.ARRANGE_SECTIONS, section_id, is_known=True):
        return forbidden

    async def place(transaction: Transaction) -> PlaceSectionSuccess | DocumentNotFound | SectionNotFound:
        if not await documents.bump_version(transaction, document_id):
            return DocumentNotFound(document_id)
        if not await lock_for_share(transaction, section_id):
            return SectionNotFound(section_id)
        placement = await documents.append(transaction, document_id, section_id)
        return PlaceSectionSuccess(placement)

    return await store.transact(place)


@command
async def remove_section(store: Store, document_id: str, section_id: str) -> RemoveSectionResult:
    """Remove a section from a document; the section and its chat are kept."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if anchor.placement is None:
        return SectionNotInDocument(document_id, section_id)
    if refused := await access.on_document(store, Action.ARRANGE_SECTIONS, document_id, is_known=True):
        return refused
    section = anchor.section

    async def remove(
        transaction: Transaction,
    ) -> RemoveSectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument:
        if not await documents.bump_version(transaction, document_id):
            return DocumentNotFound(document_id)
        removed = await documents.remove_placement(transaction, document_id, section_id)
        # Since the read, the section may have been trashed, or purged together with its placement.
        if not await documents.record_removal(transaction, document_id, section_id):
            return SectionNotFound(section_id)
        if not removed:
            return SectionNotInDocument(document_id, section_id)
        return RemoveSectionSuccess(section, document_id)

    return await store.transact(remove)


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


async def placed_edges(store: Store, placements: Sequence[Placement]) -> Sequence[Loaded[SectionEdge | None]]:
    """Return the edges of placements in the connections of their documents."""
    found = await store.load.sections.load_many([placement.section_id for placement in placements])
    return [
        edge(section, placement) if isinstance(section, Section) else section
        for section, placement in zip(found, placements, strict=True)
    ]
