"""Documents: reading, creating and exporting them."""

from db.documents import NEWEST_FIRST, READING_ORDER
from db.models import Document, Section
from db.reading.loaders import AwaitableOrValue
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
    NewDocumentId,
    Title,
)
from resolvers.context import Info
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


async def sections(
    root: Document,
    info: Info,
    first: FirstSections = None,
    after: After = None,
    last: LastSections = None,
    before: Before = None,
) -> Connection[Section]:
    asked = page(READING_ORDER, first, after, last, before, largest=limits.LARGEST_SECTIONS_PAGE)
    return await documents.sections(info.context.store, root, asked)


async def markdown(root: Document, info: Info) -> str:
    return await documents.export_markdown(info.context.store, root)


async def create_document(
    info: Info, title: Title, description: Description = None, id: NewDocumentId = None
) -> CreateDocumentResult:
    return await documents.create_document(info.context.store, title, description, id)


async def import_document(
    info: Info, markdown: Markdown, title: ImportTitle = None, id: NewDocumentId = None
) -> ImportDocumentResult:
    return await documents.import_document(info.context.store, title, markdown, id)


def created_edge(root: CreateDocumentSuccess | ImportDocumentSuccess, info: Info) -> Edge[Document]:
    return documents.edge(root.document)
