"""The demo: our documentation as documents, and a shell line that tries the server."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from db.connection.database import Database
from db.reading.paging import Page
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.startup import NotReady
from services import documents
from services.outcomes import IdTaken

_DOCS = Path(__file__).parents[2] / "docs"

_FIRST = "doc_demo-guide"

_ENSURE = (
    "mutation Ensure($docId: ID!, $sectionId: ID!) { "
    "ensureSectionChat(docId: $docId, sectionId: $sectionId) { "
    "__typename ... on ChatSession { id ensured section { title } document { title } } "
    "... on Error { code message } } }"
)


@dataclass(frozen=True)
class Demo:
    """A demo document and one of its sections."""

    document_id: str
    section_id: str

    def curl(self, address: str, uds: Path | None = None) -> str:
        """Return a shell line that ensures the chat of that section; `uds` is the Unix socket to send it to."""
        body = {
            "operationName": "Ensure",
            "query": _ENSURE,
            "variables": {"docId": self.document_id, "sectionId": self.section_id},
        }
        through = f"--unix-socket {shlex.quote(str(uds))} " if uds else ""
        return (
            f"curl -s {through}{address}/graphql -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}"
        )


async def load(database: Database) -> Demo | None:
    """Import each page of our documentation that is missing. Return the guide and its first section, if they exist.

    Raises `NotReady`.
    """
    store = Store(database, LOCAL_OWNER)
    for page in sorted(_DOCS.rglob("*.md")):
        own_id = "doc_demo-" + "-".join(page.relative_to(_DOCS).with_suffix("").parts)
        made = await documents.import_document(store, None, page.read_text("utf-8"), own_id, page.stem)
        if not isinstance(made, documents.ImportDocumentSuccess | IdTaken):
            raise NotReady(f"The demo cannot be loaded: {page}: {made.message}")
    guide = await store.load.documents.load(_FIRST)
    edges = (await store.load.pages_of_sections.load((guide.id, Page(1)))).edges if guide else ()
    return Demo(_FIRST, edges[0].node.id) if edges else None
