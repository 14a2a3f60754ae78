"""Documents: reading, creating and exporting them."""

from collections.abc import Sequence

from db.documents import NEWEST_FIRST, READING_ORDER
from db.models import Document, Section
from db.reading.loaders import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge
from resolvers.arguments import (
    After,
    Before,
    Description,
    DocId,
    First,
    FirstSections,
    ImportTitle,
    Last,
    LastSections,
    Markdown,
    NewAccess,
    NewDocumentId,
    Title,
)
from resolvers.context import Info, Parents
from services import documents, limits
from services.documents import (
    CreateDocumentResult,
    CreateDocumentSuccess,
    ImportDocumentResult,
    ImportDocumentSuccess,
)
from services.paging import page


def document(info: Info, id: DocId) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, id)


async def all_documents(
    info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[Document]:
    return await documents.documents(info.context.store, page(NEWEST_FIRST, first, after, last, before))


async def sections_of_documents(
    info: Info,
    parents: Parents[Document],
    first: FirstSections = None,
    after: After = None,
    last: LastSections = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Section]]]:
    asked = page(READING_ORDER, first, after, last, before, largest=limits.LARGEST_SECTIONS_PAGE)
    return await documents.sections(info.context.store, parents, asked)


async def markdown_of_documents(info: Info, parents: Parents[Document]) -> Sequence[str | BaseException]:
    return await documents.markdown_of(info.context.store, parents)


async def create_document(
    info: Info,
    title: Title,
    description: Description = None,
    id: NewDocumentId = None,
    access: NewAccess = None,
) -> CreateDocumentResult:
    return await documents.create_document(info.context.store, title, description, id, access)


async def import_document(
    info: Info,
    markdown: Markdown,
    title: ImportTitle = None,
    id: NewDocumentId = None,
    access: NewAccess = None,
) -> ImportDocumentResult:
    return await documents.import_document(info.context.store, title, markdown, id, access=access)


def created_edges(
    info: Info, created: Parents[CreateDocumentSuccess | ImportDocumentSuccess]
) -> Sequence[Edge[Document]]:
    return [documents.edge(each.document) for each in created]
