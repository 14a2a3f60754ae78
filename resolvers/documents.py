"""Documents: reading, making and exporting them."""

from db.documents import NEWEST_FIRST, READING_ORDER
from db.models import Document, Section
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection
from resolvers.arguments import (
    After,
    Description,
    DocId,
    First,
    FirstSections,
    ImportTitle,
    Markdown,
    NewDocumentId,
    Title,
)
from resolvers.context import Info
from services import documents, inputs
from services.documents import CreatedDocument
from services.paging import page


def document(info: Info, id: DocId) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, id)


async def all_documents(info: Info, first: First = inputs.PAGE_SIZE, after: After = None) -> Connection[Document]:
    return await documents.documents(info.context.store, page(NEWEST_FIRST, first, after))


async def sections(
    root: Document, info: Info, first: FirstSections = inputs.PAGE_SIZE, after: After = None
) -> Connection[Section]:
    asked = page(READING_ORDER, first, after, largest=inputs.LARGEST_SECTIONS_PAGE)
    return await documents.sections(info.context.store, root, asked)


async def markdown(root: Document, info: Info) -> str:
    return await documents.export_markdown(info.context.store, root)


async def create_document(
    info: Info, title: Title, description: Description = None, id: NewDocumentId = None
) -> CreatedDocument:
    return await documents.create_document(info.context.store, info.context.principal, title, description, id)


async def import_document(
    info: Info, markdown: Markdown, title: ImportTitle = None, id: NewDocumentId = None
) -> CreatedDocument:
    return await documents.import_document(info.context.store, info.context.principal, title, markdown, id)
