"""Documents: reading, creating and exporting them."""

from collections.abc import Sequence
from typing import Annotated

from strawberry import argument
from strawberry.scalars import JSON

from db.documents import READING_ORDER
from db.models import Document, Section
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge
from resolvers.arguments import (
    METADATA,
    TAGS,
    After,
    Before,
    Description,
    DocId,
    ExpectedVersion,
    Fields,
    FirstSections,
    ImportTitle,
    LastSections,
    Markdown,
    NewAccess,
    NewDocumentId,
    Summary,
    Title,
    optional,
)
from resolvers.context import Info, Parents
from services import documents, exports, html, limits
from services.documents import (
    CreateDocumentResult,
    CreateDocumentSuccess,
    ImportDocumentResult,
    ImportDocumentSuccess,
    UpdateDocumentResult,
)
from services.paging import page


class Changes(Fields):
    """What a client changes of a document; `schema/documents.py` makes it an input type."""

    title: str | None = optional(f"The title, one non-blank line of at most {limits.TITLE_LENGTH:,} characters.")
    description: str | None = optional(
        f"A description, at most {limits.DESCRIPTION_LENGTH:,} characters; null for a document without one."
    )
    tags: list[str] | None = optional(TAGS)
    details: JSON | None = optional(METADATA, name="metadata")


DocumentChanges = Annotated[Changes, argument(description="What to change. A field that is left out stays.")]


def document(info: Info, id: DocId) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, id)


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
    return await exports.markdown_of(info.context.store, parents)


async def html_of_documents(info: Info, parents: Parents[Document]) -> Sequence[str | BaseException]:
    return await html.of_documents(info.context.store, parents)


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


async def update_document(
    info: Info,
    doc_id: DocId,
    changes: DocumentChanges,
    expected_version: ExpectedVersion = None,
    summary: Summary = None,
) -> UpdateDocumentResult:
    return await documents.update_document(info.context.store, doc_id, changes.given(), expected_version, summary)


def created_edges(
    info: Info, created: Parents[CreateDocumentSuccess | ImportDocumentSuccess]
) -> Sequence[Edge[Document]]:
    return [documents.edge(each.document) for each in created]
