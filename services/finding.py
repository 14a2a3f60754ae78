"""Finding: lists of the documents and sections of the workspace, with filters and in several orders."""

from functools import partial

from db.finding import Filter, OrderBy, SectionFilter
from db.models import Document, Section
from db.reading.paging import Connection, Page
from db.store import Store

EVERYTHING = Filter()


async def documents(store: Store, wanted: Filter, by: OrderBy, page: Page) -> Connection[Document]:
    """Return a page of the documents that match a filter, the latest first."""
    if wanted == EVERYTHING and by is OrderBy.CREATED:  # what most clients ask for needs no conditions
        return (await store.documents(page)).counted_by(store.count_documents)
    found = await store.found(Document, by, wanted, page)
    return found.counted_by(partial(store.count_found, Document, wanted))


async def sections(store: Store, wanted: SectionFilter, by: OrderBy, page: Page) -> Connection[Section]:
    """Return a page of the sections that match a filter, the latest first."""
    found = await store.found(Section, by, wanted, page)
    return found.counted_by(partial(store.count_found, Section, wanted))
