"""Placements: placing, copying, moving, replacing and removing the sections of a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import ids, placements
from db.anchors import Anchor
from db.documents import SectionEdge
from db.inserts import insert_if_absent
from db.locks import lock_for_share
from db.models import Placement, Section
from db.placements import LAST, Arrangement, At, Side
from db.reading.loader import Loaded
from db.reading.paging import Connection, Page, counted
from db.store import Store, Transaction
from services import access, storage, validation
from services.access import Action
from services.commands import command
from services.edits import change_by
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
)


@dataclass(frozen=True)
class PlaceSectionSuccess:
    """The placement of the section, made by this call or earlier."""

    placement: Placement


@dataclass(frozen=True)
class CopySectionSuccess:
    """The copy, which is a section of its own, and its placement."""

    section: Section
    document_id: str
    placement: Placement | None
    """None if an earlier call made the copy and it was removed from the document since."""


@dataclass(frozen=True)
class MoveSectionSuccess:
    """The placement of the section, moved by this call or there before."""

    placement: Placement


@dataclass(frozen=True)
class ReplaceSectionSuccess:
    """The placement of the replacement, and the replaced section, which is kept."""

    placement: Placement
    replaced: Section


@dataclass(frozen=True)
class RemoveSectionSuccess:
    """The section, which is kept, and the document that it was removed from."""

    section: Section
    document_id: str


PlaceSectionResult = (
    PlaceSectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable
)
CopySectionResult = (
    CopySectionSuccess
    | DocumentNotFound
    | SectionNotFound
    | SectionNotInDocument
    | InvalidInput
    | IdTaken
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)
MoveSectionResult = (
    MoveSectionSuccess
    | DocumentNotFound
    | SectionNotFound
    | SectionNotInDocument
    | InvalidInput
    | Forbidden
    | TemporarilyUnavailable
)
ReplaceSectionResult = (
    ReplaceSectionSuccess
    | DocumentNotFound
    | SectionNotFound
    | SectionNotInDocument
    | InvalidInput
    | Forbidden
    | TemporarilyUnavailable
)
RemoveSectionResult = (
    RemoveSectionSuccess
    | DocumentNotFound
    | SectionNotFound
    | SectionNotInDocument
    | Forbidden
    | TemporarilyUnavailable
)


@command
async def place_section(store: Store, document_id: str, section_id: str, at: At) -> PlaceSectionResult:
    """Place an existing section in a document; a section that is already there keeps its position."""
    anchor = await _anchor(store, document_id, section_id)
    if not isinstance(anchor, Anchor):
        return anchor
    if anchor.placement is not None:
        return PlaceSectionSuccess(anchor.placement)
    # Otherwise a reader of the section could publish it.
    if forbidden := await access.on_section(store, Action.ARRANGE_SECTIONS, section_id, is_known=True):
        return forbidden

    async def place(
        transaction: Transaction,
    ) -> PlaceSectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        if not await lock_for_share(transaction, section_id):
            return SectionNotFound(section_id)
        placed = await arrangement.placement(section_id) or await arrangement.place(section_id, at)
        return PlaceSectionSuccess(placed) if placed else _no_neighbour(document_id, at)

    return await store.transact(place)


@command
async def copy_section(
    store: Store, document_id: str, section_id: str, at: At | None, own_id: str | None
) -> CopySectionResult:
    """Place a copy of a section in a document, by default behind the section if it stands there, else at the end.

    The copy is a section of its own, with a history and a chat of its own.
    """
    anchor = await _anchor(store, document_id, section_id)
    if not isinstance(anchor, Anchor):
        return anchor
    if invalid := validation.invalid(validation.caller_id(ids.SECTION, own_id)):
        return invalid
    if full := storage.refusal(store):
        return full
    copy = Section(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.SECTION),
        creation_digest=creation_digest(own_id, "copySection", document_id, section_id),
        created_by=store.principal.user_id,
    )

    async def place(
        transaction: Transaction,
    ) -> CopySectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument | IdTaken:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        if not await placements.copy_text(transaction, section_id, copy):
            return SectionNotFound(section_id)
        stored = await insert_if_absent(transaction.session, copy, "workspace_id", "id")
        if stored is None:
            return IdTaken(copy.id)
        is_beside = at is None and await arrangement.placement(section_id) is not None
        there = At(Side.AFTER, section_id) if is_beside else at or LAST
        placed = await arrangement.place(copy.id, there, is_copy=True)
        return CopySectionSuccess(stored, document_id, placed) if placed else _no_neighbour(document_id, there)

    result = await store.transact(place)
    if isinstance(result, IdTaken) and (earlier := await earlier_section(store, document_id, copy)):
        return CopySectionSuccess(*earlier)
    return result


@command
async def move_section(store: Store, document_id: str, section_id: str, at: At) -> MoveSectionResult:
    """Move a section within a document; a section that is there already keeps its position."""
    section = await _placed(store, document_id, section_id)
    if not isinstance(section, Section):
        return section
    if at.neighbour == section_id:
        return InvalidInput.of("at", "names the section itself")

    async def move(transaction: Transaction) -> MoveSectionSuccess | DocumentNotFound | SectionNotInDocument:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        placed = await arrangement.placement(section_id)
        if placed is None:
            return SectionNotInDocument(document_id, section_id)
        moved = await arrangement.move(placed, at)
        return MoveSectionSuccess(moved) if moved else _no_neighbour(document_id, at)

    return await store.transact(move)


@command
async def replace_section(store: Store, document_id: str, section_id: str, replacement_id: str) -> ReplaceSectionResult:
    """Put another section in the place of a section, which is kept with its chat, but not in this document."""
    replaced = await _placed(store, document_id, section_id)
    if not isinstance(replaced, Section):
        return replaced
    if replacement_id == section_id:
        return InvalidInput.of("replacementId", "is the section itself")
    anchor = await _anchor(store, document_id, replacement_id)
    if not isinstance(anchor, Anchor):
        return anchor
    # As in `place_section`.
    if anchor.placement is None and (
        forbidden := await access.on_section(store, Action.ARRANGE_SECTIONS, replacement_id, is_known=True)
    ):
        return forbidden

    async def replace(
        transaction: Transaction,
    ) -> ReplaceSectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        if await arrangement.placement(section_id) is None:
            return SectionNotInDocument(document_id, section_id)
        placed = await arrangement.replace(section_id, replacement_id)
        if placed is None:
            return SectionNotFound(replacement_id)
        if not await placements.record_removal(transaction, document_id, section_id):
            return SectionNotFound(section_id)
        return ReplaceSectionSuccess(placed, replaced)

    return await store.transact(replace)


@command
async def remove_section(store: Store, document_id: str, section_id: str) -> RemoveSectionResult:
    """Remove a section from a document; the section and its chat are kept."""
    section = await _placed(store, document_id, section_id)
    if not isinstance(section, Section):
        return section

    async def remove(
        transaction: Transaction,
    ) -> RemoveSectionSuccess | DocumentNotFound | SectionNotFound | SectionNotInDocument:
        arrangement = await Arrangement.lock(transaction, document_id, change_by(store))
        if arrangement is None:
            return DocumentNotFound(document_id)
        removed = await arrangement.remove(section_id)
        # Since the read, the section may have been trashed, or purged together with its placement.
        if not await placements.record_removal(transaction, document_id, section_id):
            return SectionNotFound(section_id)
        if not removed:
            return SectionNotInDocument(document_id, section_id)
        return RemoveSectionSuccess(section, document_id)

    return await store.transact(remove)


async def placement(store: Store, placement_id: str) -> Placement | None:
    """Return the placement with this id, if the principal may read its document and its section."""
    parts = ids.parts_of_pair(ids.PLACEMENT, placement_id)
    return None if parts is None else (await store.anchor(*parts)).placement


async def of_sections(store: Store, sections: Sequence[Section], page: Page) -> Sequence[Loaded[Connection[Placement]]]:
    """Return, for each section, a page of its placements in documents that the principal may read."""
    pages = await store.load.pages_of_placements.load_many([(section.id, page) for section in sections])
    return [
        counted(found, partial(store.load.counts_of_documents.get, section.id))
        for section, found in zip(sections, pages, strict=True)
    ]


async def are_shared(store: Store, sections: Sequence[Section]) -> Sequence[Loaded[bool]]:
    """Return, for each section, whether several documents that the principal may read hold it."""
    counts = await store.load.counts_of_documents.load_many([section.id for section in sections])
    return [count if isinstance(count, Exception) else count > 1 for count in counts]


async def edges(store: Store, placed: Sequence[Placement]) -> Sequence[Loaded[SectionEdge | None]]:
    """Return the edges of placements in the connections of their documents."""
    found = await store.load.sections.load_many([placement.section_id for placement in placed])
    return [
        SectionEdge(section, placement) if isinstance(section, Section) else section
        for section, placement in zip(found, placed, strict=True)
    ]


async def _anchor(
    store: Store, document_id: str, section_id: str
) -> Anchor | DocumentNotFound | SectionNotFound | Forbidden:
    """Return the anchor of a section, in a document that the principal may arrange, or why there is none."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    return await access.on_document(store, Action.ARRANGE_SECTIONS, document_id, is_known=True) or anchor


async def _placed(
    store: Store, document_id: str, section_id: str
) -> Section | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden:
    """Return a section of a document that the principal may arrange, or why there is none."""
    anchor = await store.anchor(document_id, section_id)
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if anchor.placement is None:
        return SectionNotInDocument(document_id, section_id)
    refused = await access.on_document(store, Action.ARRANGE_SECTIONS, document_id, is_known=True)
    return refused or anchor.section


def _no_neighbour(document_id: str, at: At) -> SectionNotInDocument:
    return SectionNotInDocument(document_id, str(at.neighbour))
