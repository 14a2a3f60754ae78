"""Sections: pieces of text that stand in documents, one or several."""

from db import documents, ids
from db.inserts import insert_if_absent
from db.models import Document, Placement, Section
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection, Page
from db.store import Store, Transaction, Undo
from services import inputs
from services.commands import command
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)
from services.principals import Principal

CreatedSection = Section | DocumentNotFound | InvalidInput | IdTaken | Forbidden | TemporarilyUnavailable
PlacedSection = Placement | DocumentNotFound | SectionNotFound | Forbidden | TemporarilyUnavailable
RemovedSection = (
    Section | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable
)


@command
async def create_section(
    store: Store,
    principal: Principal,
    document_id: str,
    title: str,
    content: str | None,
    level: int | None,
    own_id: str | None,
) -> CreatedSection:
    """Make a section and place it at the end of a document."""
    if await store.load.documents.load(document_id) is None:
        return DocumentNotFound(document_id)
    if not principal.may_edit:
        return Forbidden(document_id)
    if invalid := (
        inputs.title(title)
        or inputs.text("content", content, inputs.CONTENT_LENGTH)
        or inputs.level(level)
        or inputs.caller_id(ids.SECTION, own_id)
    ):
        return invalid
    section = Section(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.SECTION),
        title=title.strip(),
        level=1 if level is None else level,
        content=content or "",
        created_by=principal.user_id,
    )

    async def create(transaction: Transaction) -> Section | DocumentNotFound | IdTaken:
        if not await documents.bump_version(transaction, store.workspace_id, document_id):
            return DocumentNotFound(document_id)
        created = await insert_if_absent(transaction, section, "workspace_id", "id")
        if created is None:
            raise Undo(IdTaken(section.id))
        await documents.append(transaction, store.workspace_id, document_id, created.id)
        return created

    return await store.transact(create)


@command
async def place_section(store: Store, principal: Principal, document_id: str, section_id: str) -> PlacedSection:
    """Place an existing section at the end of a document, by reference; where it stands already, it stays."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if not principal.may_edit:
        return Forbidden(document_id)
    if anchor.placement is not None:
        return anchor.placement

    async def place(transaction: Transaction) -> Placement | DocumentNotFound | SectionNotFound:
        if not await documents.bump_version(transaction, store.workspace_id, document_id):
            return DocumentNotFound(document_id)
        if not await documents.hold_section(transaction, store.workspace_id, section_id):
            raise Undo(SectionNotFound(section_id))
        return await documents.append(transaction, store.workspace_id, document_id, section_id)

    return await store.transact(place)


@command
async def remove_section(store: Store, principal: Principal, document_id: str, section_id: str) -> RemovedSection:
    """Take a section out of a document; the section and its chat are kept."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if anchor.placement is None:
        return SectionNotInDocument(document_id, section_id)
    if not principal.may_edit:
        return Forbidden(document_id)
    section = anchor.section

    async def remove(transaction: Transaction) -> Section | DocumentNotFound | SectionNotFound | SectionNotInDocument:
        if not await documents.bump_version(transaction, store.workspace_id, document_id):
            return DocumentNotFound(document_id)
        taken_out = await documents.remove_placement(transaction, store.workspace_id, document_id, section_id)
        # It may have been put into the trash since it was read, or have been purged, which took its placement with it.
        if not await documents.hold_section(transaction, store.workspace_id, section_id):
            raise Undo(SectionNotFound(section_id))
        if not taken_out:
            raise Undo(SectionNotInDocument(document_id, section_id))
        return section

    return await store.transact(remove)


def section(store: Store, section_id: str) -> AwaitableOrValue[Section | None]:
    """Return a section by its id."""
    return store.load.sections.get(section_id)


async def documents_of(store: Store, section: Section, page: Page) -> Connection[Document]:
    """Return a page of the documents that a section stands in, the newest first."""
    return await store.load.pages_of_documents.load((section.id, page))
