"""Documents: titled, ordered arrangements of sections."""

from itertools import chain

from db import documents as arrangement
from db import ids
from db.inserts import insert_if_absent
from db.models import Document, Section
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection, Page
from db.store import Store, Transaction
from db.unreadable import Unreadable
from services import inputs, markdown
from services.commands import command, long_command
from services.link_definitions import remembered, with_targets_kept
from services.markdown_parser import Budget, LimitExceeded
from services.outcomes import Forbidden, IdTaken, InvalidInput, TemporarilyUnavailable
from services.principals import Principal
from services.worker import Worker

CreatedDocument = Document | InvalidInput | IdTaken | Forbidden | TemporarilyUnavailable

UNTITLED = "Untitled"

# One import and one export at a time, in threads: a long text takes a while, and others want to be served meanwhile.
imports = Worker("import", inputs.PENDING_MARKDOWN_LENGTH)
exports = Worker("export", inputs.PENDING_MARKDOWN_LENGTH)


@command
async def create_document(
    store: Store, principal: Principal, title: str, description: str | None, own_id: str | None
) -> CreatedDocument:
    """Make a document without sections."""
    if not principal.may_edit:
        return Forbidden()
    if invalid := (
        inputs.title(title)
        or inputs.text("description", description, inputs.DESCRIPTION_LENGTH)
        or inputs.caller_id(ids.DOCUMENT, own_id)
    ):
        return invalid
    return await _add(store, _document(store, principal, title, description, own_id), [])


@long_command
async def import_document(
    store: Store,
    principal: Principal,
    title: str | None,
    source: str,
    own_id: str | None,
    file_name: str | None = None,
) -> CreatedDocument:
    """Make a document from CommonMark: one section for each heading, and one for the text before the first.

    Without a title of its own the document is called as its front matter says, or else like its first heading, or
    else like the file that it comes from. All of it is added, or nothing.
    """
    if not principal.may_edit:
        return Forbidden()
    if invalid := inputs.title(title) or inputs.markdown(source) or inputs.caller_id(ids.DOCUMENT, own_id):
        return invalid
    budget = Budget(inputs.MARKDOWN_LINES, inputs.MARKDOWN_BLOCKS, inputs.IMPORTED_SECTIONS, inputs.IMPORT_SECONDS)
    try:
        passages = await imports.run(len(source), budget, lambda: markdown.split(source, budget))
    except LimitExceeded as limit:
        return InvalidInput("markdown", str(limit))
    if invalid := _too_much(passages):
        return invalid
    if title is None:
        title = inputs.as_title(markdown.title(passages)) or inputs.as_title(file_name) or UNTITLED
    document = _document(store, principal, title, None, own_id)
    sections = [
        Section(
            workspace_id=store.workspace_id,
            id=ids.new(ids.SECTION),
            title=passage.title,
            level=passage.level,
            content=passage.content,
            details={} if passage.definitions is None else remembered(document.id, passage.definitions),
            created_by=principal.user_id,
        )
        for passage in passages
    ]
    return await _add(store, document, sections)


def document(store: Store, document_id: str) -> AwaitableOrValue[Document | None]:
    """Return a document by its id."""
    return store.load.documents.get(document_id)


async def documents(store: Store, page: Page) -> Connection[Document]:
    """Return a page of the documents of the workspace, the newest first."""
    return await store.documents(page)


async def sections(store: Store, document: Document, page: Page) -> Connection[Section]:
    """Return a page of the sections of a document, in reading order."""
    return await store.load.pages_of_sections.load((document.id, page))


async def export_markdown(store: Store, document: Document) -> str:
    """Return a document as CommonMark, such that importing it again gives equal sections."""
    texts = await store.load.texts.load(document.id)
    for value in chain.from_iterable(texts):
        if isinstance(value, Unreadable):
            raise value
    # What has been stored is given back however large it is; only the time of the operation ends it.
    budget = Budget()

    def compose() -> str:
        return markdown.compose(with_targets_kept(texts, document.id, budget), budget)

    return await exports.run(sum(len(text.content) for text in texts), budget, compose)


def _document(store: Store, principal: Principal, title: str, description: str | None, own_id: str | None) -> Document:
    return Document(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.DOCUMENT),
        title=title.strip(),
        description=description,
        created_by=principal.user_id,
    )


async def _add(store: Store, document: Document, sections: list[Section]) -> Document | IdTaken:
    async def add(transaction: Transaction) -> Document | None:
        added = await insert_if_absent(transaction, document, "workspace_id", "id")
        if added is not None:
            await arrangement.add_sections(transaction, added, sections)
        return added

    return await store.transact(add) or IdTaken(document.id)


def _too_much(passages: list[markdown.Passage]) -> InvalidInput | None:
    if len(passages) > inputs.IMPORTED_SECTIONS:
        return InvalidInput("markdown", f"makes more than {inputs.IMPORTED_SECTIONS:,} sections")
    for number, passage in enumerate(passages, 1):
        place = f"characters in section {number}, at line {passage.line:,}"
        if len(passage.title or "") > inputs.CONTENT_LENGTH:
            return InvalidInput("markdown", f"has a heading of more than {inputs.CONTENT_LENGTH:,} {place}")
        if len(passage.content) > inputs.CONTENT_LENGTH:
            return InvalidInput("markdown", f"has more than {inputs.CONTENT_LENGTH:,} {place}")
    repeated = (found for passage in passages for found in (passage.definitions or {}).values())
    if sum(len(found.href) + len(found.title) for found in repeated) > inputs.MARKDOWN_LENGTH:
        reason = f"uses link definitions of more than {inputs.MARKDOWN_LENGTH:,} characters in other sections"
        return InvalidInput("markdown", reason)
    return None
