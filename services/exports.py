"""Exports: documents as CommonMark."""

from asyncio import gather
from collections.abc import Sequence
from itertools import chain

from db.documents import SectionText
from db.models import Document
from db.reading.unreadable import Unreadable
from db.store import Store
from services import limits, markdown
from services.link_definitions import with_targets_kept
from services.markdown_parser import Budget
from services.worker import Worker

# One export at a time, in a thread, so that a long text does not block the event loop.
exports = Worker("export", limits.PENDING_EXPORT_LENGTH)


async def markdown_of(store: Store, documents: Sequence[Document]) -> Sequence[str | BaseException]:
    """Return documents as CommonMark, or why one cannot be exported."""
    return await gather(*(export_markdown(store, document) for document in documents), return_exceptions=True)


async def export_markdown(store: Store, document: Document) -> str:
    """Return a document as CommonMark; importing it again creates equal sections."""
    texts = await store.load.texts.load(document.id)
    for value in chain.from_iterable(texts):
        if isinstance(value, Unreadable):
            raise value
    return await composed(document.id, texts)


async def composed(document_id: str, texts: Sequence[SectionText]) -> str:
    """Return the sections of a document as CommonMark."""
    # A stored document can be exported whatever its size; only the timeout of the operation limits the export.
    budget = Budget()

    def compose() -> str:
        return markdown.compose(with_targets_kept(texts, document_id, budget), budget)

    return await exports.run(sum(len(text.content) for text in texts), budget, compose)
