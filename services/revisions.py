"""Revisions: reading the earlier versions of documents and sections."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from db import ids
from db.documents import SectionText
from db.models import Document, DocumentRevision, Placement, Section, SectionRevision
from db.principals import Role
from db.reading.loader import Loaded
from db.reading.paging import Connection, Edge, Order, Page, PageInfo
from db.store import Store
from services import access, exports
from services.access import Action
from services.diffs import Diff
from services.paging import pages_where

THEN = Order("sectionsThen", (Placement.position, Placement.section_id))
"""The reading order of a document at an earlier version."""


async def of_sections(
    store: Store, sections: Sequence[Section], page: Page
) -> Sequence[Loaded[Connection[SectionRevision]]]:
    """Return, for each section, a page of its earlier versions; empty where the principal may not read them."""
    may, load = await _of_sections(store, sections), store.load
    ids = [section.id for section in sections]
    return await pages_where(may, ids, page, load.pages_of_section_revisions, load.counts_of_section_revisions)


async def of_documents(
    store: Store, documents: Sequence[Document], page: Page
) -> Sequence[Loaded[Connection[DocumentRevision]]]:
    """Return, for each document, a page of its earlier versions; empty where the principal may not read them."""
    may, load = await _of_documents(store, documents), store.load
    ids = [document.id for document in documents]
    return await pages_where(may, ids, page, load.pages_of_document_revisions, load.counts_of_document_revisions)


async def sections_at(
    store: Store, sections: Sequence[Section], version: int
) -> Sequence[Loaded[SectionRevision | None]]:
    """Return the state of each section at a version; None if there is none, or the principal may not read it."""
    may = await _of_sections(store, sections)
    found = await store.load.section_versions.load_many([(section.id, version) for section in sections])
    return [each if is_shown else None for each, is_shown in zip(found, may, strict=True)]


async def documents_at(
    store: Store, documents: Sequence[Document], version: int
) -> Sequence[Loaded[DocumentRevision | None]]:
    """Return the state of each document at a version; None if there is none, or the principal may not read it."""
    may = await _of_documents(store, documents)
    found = await store.load.document_versions.load_many([(document.id, version) for document in documents])
    return [each if is_shown else None for each, is_shown in zip(found, may, strict=True)]


async def section_revision(store: Store, revision_id: str) -> SectionRevision | None:
    """Return the state of a section with this id, if the principal may read it."""
    parts = ids.parts_of_revision(ids.SECTION_REVISION, revision_id)
    section = await store.load.sections.load(parts[0]) if parts else None
    if parts is None or section is None or not all(await _of_sections(store, [section])):
        return None
    return await store.load.section_versions.load(parts)


async def document_revision(store: Store, revision_id: str) -> DocumentRevision | None:
    """Return the state of a document with this id, if the principal may read it."""
    parts = ids.parts_of_revision(ids.DOCUMENT_REVISION, revision_id)
    document = await store.load.documents.load(parts[0]) if parts else None
    if parts is None or document is None or not all(await _of_documents(store, [document])):
        return None
    return await store.load.document_versions.load(parts)


async def sections_then(
    store: Store, then: Sequence[DocumentRevision], page: Page
) -> Sequence[Connection[SectionRevision]]:
    """Return, for each earlier version of a document, a page of its sections as they were, in the order of that time.

    Sections that are trashed or purged now, or that the principal may not read now, are left out.
    """
    return await gather(*(_sections_then(store, each, page) for each in then))


async def markdown_then(store: Store, then: Sequence[DocumentRevision]) -> Sequence[str | BaseException]:
    """Return earlier versions of documents as CommonMark, or why one cannot be exported."""
    return await gather(*(_markdown_then(store, each) for each in then), return_exceptions=True)


async def diffs_of_sections(
    store: Store, sections: Sequence[Section], before: int, after: int | None
) -> Sequence[Diff | BaseException | None]:
    """Return what changed in each section between two versions; None if one is not there or may not be read.

    `after` None: the present version.
    """
    of_each = (partial(_diff_of_section, store, each, before, after) for each in sections)
    return await _where(await _of_sections(store, sections), of_each)


async def diffs_of_documents(
    store: Store, documents: Sequence[Document], before: int, after: int | None
) -> Sequence[Diff | BaseException | None]:
    """Return what changed in each document, as CommonMark, between two versions, as `diffs_of_sections` does."""
    of_each = (partial(_diff_of_document, store, each, before, after) for each in documents)
    return await _where(await _of_documents(store, documents), of_each)


async def _where(
    may: Sequence[bool], compare: Iterable[Callable[[], Awaitable[Diff | None]]]
) -> Sequence[Diff | BaseException | None]:
    wanted = [each() if is_shown else _nothing() for each, is_shown in zip(compare, may, strict=True)]
    return await gather(*wanted, return_exceptions=True)


async def _nothing() -> None:
    return None


async def _diff_of_section(store: Store, section: Section, before: int, after: int | None) -> Diff | None:
    load = store.load.section_versions
    one, other = await gather(load.load((section.id, before)), load.load((section.id, after or section.version)))
    if one is None or other is None:
        return None
    texts = [await exports.composed("", _texts([each])) for each in (one, other)]
    return Diff(texts[0], texts[1], f"version {one.version}", f"version {other.version}")


async def _diff_of_document(store: Store, document: Document, before: int, after: int | None) -> Diff | None:
    load = store.load.document_versions
    one, other = await gather(load.load((document.id, before)), load.load((document.id, after or document.version)))
    if one is None or other is None:
        return None
    texts = [await _markdown_then(store, each) for each in (one, other)]
    return Diff(texts[0], texts[1], f"version {one.version}", f"version {other.version}")


async def _sections_then(store: Store, then: DocumentRevision, page: Page) -> Connection[SectionRevision]:
    order = list(await store.load.orders_at.load(then))
    start = next((n for n, place in enumerate(order) if page.after is None or place > page.after), len(order))
    stop = next((n for n, place in enumerate(order) if page.before is not None and place >= page.before), len(order))
    if page.from_end:
        start = max(start, stop - page.size)
    else:
        stop = min(stop, start + page.size)
    shown = order[start:stop]
    states = await _states(store, then, shown)
    edges = [Edge(state, THEN, place) for state, place in zip(states, shown, strict=True) if state is not None]
    return Connection(edges, PageInfo(stop < len(order), start > 0, edges), lambda: len(order))


async def _markdown_then(store: Store, then: DocumentRevision) -> str:
    states = await _states(store, then, await store.load.orders_at.load(then))
    return await exports.composed(then.document_id, _texts([state for state in states if state is not None]))


async def _states(
    store: Store, then: DocumentRevision, places: Sequence[tuple[str, str]]
) -> Sequence[SectionRevision | None]:
    found = await store.load.section_states.load_many([(section_id, then.updated_at) for _, section_id in places])
    for each in found:
        if isinstance(each, Exception):
            raise each
    return [each for each in found if not isinstance(each, Exception)]


def _texts(states: Sequence[SectionRevision]) -> Sequence[SectionText]:
    return [SectionText(each.title, each.level, each.content, each.link_definitions) for each in states]


async def _of_sections(store: Store, sections: Sequence[Section]) -> Sequence[bool]:
    return _may_read(await access.roles_on_sections(store, [section.id for section in sections]))


async def _of_documents(store: Store, documents: Sequence[Document]) -> Sequence[bool]:
    return _may_read(await access.roles_on_documents(store, documents))


def _may_read(roles: Sequence[Loaded[Role | None]]) -> Sequence[bool]:
    return [not isinstance(role, Exception) and access.may(role, Action.READ_HISTORY) for role in roles]
