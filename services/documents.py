"""Documents: titled, ordered arrangements of sections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from db import documents as arrangement
from db import ids
from db.inserts import insert_if_absent
from db.models import ChatSession, Document, DocumentAccess, Section
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge, Page, counted
from db.store import Store, Transaction
from services import access as rights
from services import limits, markdown, storage, validation
from services.access import Action
from services.commands import command, long_command
from services.edits import Changed, Fields, change
from services.idempotency import creation_digest, is_retry_of
from services.link_definitions import remembered
from services.markdown_parser import Budget, LimitExceeded
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    StorageLimitExceeded,
    TemporarilyUnavailable,
    VersionConflict,
)
from services.worker import Worker


@dataclass(frozen=True)
class CreateDocumentSuccess:
    """The new document."""

    document: Document


@dataclass(frozen=True)
class ImportDocumentSuccess:
    """The document created from Markdown."""

    document: Document


@dataclass(frozen=True)
class UpdateDocumentSuccess:
    """The document, and whether the call changed it."""

    document: Document
    is_changed: bool


CreateDocumentResult = (
    CreateDocumentSuccess | InvalidInput | IdTaken | Forbidden | StorageLimitExceeded | TemporarilyUnavailable
)
ImportDocumentResult = (
    ImportDocumentSuccess | InvalidInput | IdTaken | Forbidden | StorageLimitExceeded | TemporarilyUnavailable
)

UpdateDocumentResult = (
    UpdateDocumentSuccess
    | DocumentNotFound
    | InvalidInput
    | VersionConflict
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)

Created = TypeVar("Created", CreateDocumentSuccess, ImportDocumentSuccess)

UNTITLED = "Untitled"

# One import at a time, in a thread, so that a long text does not block the event loop.
imports = Worker("import", limits.PENDING_IMPORT_LENGTH)


@command
async def create_document(
    store: Store,
    title: str,
    description: str | None,
    own_id: str | None,
    access: DocumentAccess | None = None,
) -> CreateDocumentResult:
    """Create a document without sections, open to the workspace if `access` is None."""
    if refused := rights.on_workspace(store, Action.CREATE_DOCUMENT):
        return refused
    if invalid := validation.invalid(
        validation.title(title),
        validation.text("description", description, limits.DESCRIPTION_LENGTH),
        validation.caller_id(ids.DOCUMENT, own_id),
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    digest = creation_digest(own_id, "createDocument", title, description, *_given(access))
    document = _document(store, title, description, own_id, access, digest)
    return await _add(store, document, [], CreateDocumentSuccess)


@long_command
async def import_document(
    store: Store,
    title: str | None,
    source: str,
    own_id: str | None,
    file_name: str | None = None,
    access: DocumentAccess | None = None,
) -> ImportDocumentResult:
    """Create a document from CommonMark: one section for each heading, and one for the text before the first.

    Without `title`, the document takes the title in the front matter, or else its first heading, or else `file_name`.
    Either all of the document is stored, or nothing.
    """
    if refused := rights.on_workspace(store, Action.CREATE_DOCUMENT):
        return refused
    if invalid := validation.invalid(
        validation.title(title), validation.markdown(source), validation.caller_id(ids.DOCUMENT, own_id)
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    budget = Budget(limits.MARKDOWN_LINES, limits.MARKDOWN_BLOCKS, limits.IMPORTED_SECTIONS, limits.IMPORT_SECONDS)
    try:
        passages = await imports.run(len(source), budget, lambda: markdown.split(source, budget))
    except LimitExceeded as limit:
        return InvalidInput.of("markdown", str(limit))
    if invalid := _too_much(passages):
        return invalid
    digest = creation_digest(own_id, "importDocument", title, source, *_given(access))
    if title is None:
        title = validation.as_title(markdown.title(passages)) or validation.as_title(file_name) or UNTITLED
    document = _document(store, title, None, own_id, access, digest)
    sections = [
        Section(
            workspace_id=store.workspace_id,
            id=ids.new(ids.SECTION),
            title=passage.title,
            level=passage.level,
            content=passage.content,
            link_definitions=None if passage.definitions is None else remembered(document.id, passage.definitions),
            created_by=store.principal.user_id,
        )
        for passage in passages
    ]
    return await _add(store, document, sections, ImportDocumentSuccess)


@command
async def update_document(
    store: Store, document_id: str, fields: Fields, expected_version: int | None, summary: str | None
) -> UpdateDocumentResult:
    """Change the fields of a document. A call that changes nothing makes no version."""
    if refused := await rights.on_document(store, Action.EDIT, document_id):
        return refused
    if invalid := validation.invalid(
        *validation.within("changes", validation.document_fields(fields)), validation.summary(summary)
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    result = await change(store, Document, document_id, fields, expected_version, summary)
    if isinstance(result, Changed):
        return UpdateDocumentSuccess(result.row, result.is_changed)
    return result or DocumentNotFound(document_id)


def of_ids(store: Store, document_ids: Sequence[str]) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    """Return documents by their ids."""
    return store.load.documents.many(document_ids)


def of_chats(store: Store, chats: Sequence[ChatSession]) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    """Return the documents through which chats were opened."""
    if all(chat.document_id is not None for chat in chats):
        return of_ids(store, [str(chat.document_id) for chat in chats])
    return _of_some_chats(store, chats)


async def _of_some_chats(store: Store, chats: Sequence[ChatSession]) -> Sequence[Loaded[Document | None]]:
    known = [chat.document_id for chat in chats if chat.document_id is not None]
    found = iter(await store.load.documents.load_many(known))
    return [None if chat.document_id is None else next(found) for chat in chats]


def document(store: Store, document_id: str) -> AwaitableOrValue[Document | None]:
    """Return the document with this id, if the principal may see it."""
    return store.load.documents.get(document_id)


def edge(document: Document) -> Edge[Document]:
    """Return the edge of a document in the connection of the workspace."""
    return Edge(document, arrangement.NEWEST_FIRST, (document.created_at, document.id))


async def sections(store: Store, documents: Sequence[Document], page: Page) -> Sequence[Loaded[Connection[Section]]]:
    """Return, for each document, a page of its sections in reading order."""
    pages = await store.load.pages_of_sections.load_many([(document.id, page) for document in documents])
    return [
        counted(found, partial(store.load.counts_of_sections.get, document.id))
        for document, found in zip(documents, pages, strict=True)
    ]


def _document(
    store: Store,
    title: str,
    description: str | None,
    own_id: str | None,
    access: DocumentAccess | None,
    digest: str | None,
) -> Document:
    return Document(
        workspace_id=store.workspace_id,
        id=own_id or ids.new(ids.DOCUMENT),
        title=title.strip(),
        description=description,
        access=access or DocumentAccess.WORKSPACE,
        creation_digest=digest,
        created_by=store.principal.user_id,
    )


def _given(access: DocumentAccess | None) -> Sequence[str]:
    """Return the access for a digest, if it was given: without it, the digest is that of calls that did not know it."""
    return () if access is None else (access,)


async def _add(
    store: Store, document: Document, sections: list[Section], success: Callable[[Document], Created]
) -> Created | IdTaken:
    async def add(transaction: Transaction) -> Created | IdTaken:
        added = await insert_if_absent(transaction.session, document, "workspace_id", "id")
        if added is None:
            return IdTaken(document.id)
        await arrangement.add_sections(transaction.session, added, sections)
        return success(added)

    result = await store.transact(add)
    if isinstance(result, IdTaken):
        earlier = await store.whole_document(document.id)
        if earlier is not None and is_retry_of(earlier, document):
            return success(earlier)
    return result


def _too_much(passages: list[markdown.Passage]) -> InvalidInput | None:
    if len(passages) > limits.IMPORTED_SECTIONS:
        return InvalidInput.of("markdown", f"makes more than {limits.IMPORTED_SECTIONS:,} sections")
    for number, passage in enumerate(passages, 1):
        place = f"characters in section {number}, at line {passage.line:,}"
        if len(passage.title or "") > limits.CONTENT_LENGTH:
            return InvalidInput.of("markdown", f"has a heading of more than {limits.CONTENT_LENGTH:,} {place}")
        if len(passage.content) > limits.CONTENT_LENGTH:
            return InvalidInput.of("markdown", f"has more than {limits.CONTENT_LENGTH:,} {place}")
    repeated = (found for passage in passages for found in (passage.definitions or {}).values())
    if sum(len(found.href) + len(found.title) for found in repeated) > limits.MARKDOWN_LENGTH:
        reason = f"uses link definitions of more than {limits.MARKDOWN_LENGTH:,} characters in other sections"
        return InvalidInput.of("markdown", reason)
    return None
