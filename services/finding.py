"""Finding: lists of the documents and sections of the workspace, with filters and in several orders."""

from functools import partial

from db.finding import Filter, OrderBy, SectionFilter
from db.ids import is_storable
from db.models import Document, Section
from db.reading.paging import Connection, Page, connection
from db.store import Store
from services.outcomes import BadArgument

EVERYTHING = Filter()


async def documents(store: Store, wanted: Filter, by: OrderBy, page: Page) -> Connection[Document]:
    """Return a page of the documents that match a filter, the latest first.

    Raises `BadArgument` for a time without a time zone.
    """
    if not _can_match(wanted):
        return connection([], Page(0))
    if wanted == EVERYTHING and by is OrderBy.CREATED:  # what most clients ask for needs no conditions
        return (await store.documents(page)).counted_by(store.count_documents)
    found = await store.found(Document, by, wanted, page)
    return found.counted_by(partial(store.count_found, Document, wanted))


async def sections(store: Store, wanted: SectionFilter, by: OrderBy, page: Page) -> Connection[Section]:
    """Return a page of the sections that match a filter, as `documents` does."""
    if not _can_match(wanted):
        return connection([], Page(0))
    found = await store.found(Section, by, wanted, page)
    return found.counted_by(partial(store.count_found, Section, wanted))


def _can_match(wanted: Filter) -> bool:
    """Whether a database can hold what is looked for."""
    if wanted.updated_since is not None and wanted.updated_since.tzinfo is None:
        raise BadArgument("filter.updatedSince has no time zone")
    return all(map(is_storable, [wanted.title_contains or "", wanted.created_by or "", *(wanted.tags or ())]))
