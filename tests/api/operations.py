"""Operations that several modules of tests send, and the steps that bring a test to its start."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from tests.support.client import Client

CREATE_DOCUMENT = """
mutation ($title: String!, $description: String, $id: ID) {
  createDocument(title: $title, description: $description, id: $id) {
    __typename
    ... on CreateDocumentSuccess { document { id title description createdBy { id } createdAt updatedAt } }
    ... on Error { message code }
    ... on InvalidInput { violations { path message } }
    ... on IdTaken { takenId }
    ... on Forbidden { subjectId }
  }
}
"""

IMPORT_DOCUMENT = """
mutation ($markdown: String!, $title: String, $id: ID) {
  importDocument(markdown: $markdown, title: $title, id: $id) {
    __typename
    ... on ImportDocumentSuccess { document { id title description createdBy { id } createdAt updatedAt } }
    ... on Error { message code }
    ... on InvalidInput { violations { path message } }
    ... on IdTaken { takenId }
    ... on Forbidden { subjectId }
  }
}
"""

CREATE_SECTION = """
mutation ($docId: ID!, $title: String! = "A section", $content: String! = "", $level: Int! = 1, $id: ID) {
  createSection(
    docId: $docId, section: {id: $id, title: $title, content: $content, level: $level}
  ) {
    __typename
    ... on CreateSectionSuccess { section { id title level content createdBy { id } createdAt updatedAt } }
    ... on Error { message code }
    ... on DocumentNotFound { docId }
    ... on InvalidInput { violations { path message } }
    ... on IdTaken { takenId }
    ... on Forbidden { subjectId }
  }
}
"""

UPDATE_SECTION = """
mutation ($sectionId: ID!, $changes: SectionChanges!, $expectedVersion: Int, $summary: String) {
  updateSection(sectionId: $sectionId, changes: $changes, expectedVersion: $expectedVersion, summary: $summary) {
    __typename
    ... on UpdateSectionSuccess {
      isChanged
      section {
        id version title level content status tags metadata updatedAt editedBy { id } changeSummary isGenerated
      }
    }
    ... on Error { message code }
    ... on InvalidInput { violations { path message } }
    ... on VersionConflict { subjectId currentVersion current { id ... on Section { content version } } }
    ... on Forbidden { subjectId }
  }
}
"""

UPDATE_DOCUMENT = """
mutation ($docId: ID!, $changes: DocumentChanges!, $expectedVersion: Int, $summary: String) {
  updateDocument(docId: $docId, changes: $changes, expectedVersion: $expectedVersion, summary: $summary) {
    __typename
    ... on UpdateDocumentSuccess {
      isChanged
      document { id version title description tags metadata editedBy { id } changeSummary }
    }
    ... on Error { message code }
    ... on InvalidInput { violations { path message } }
    ... on VersionConflict { subjectId currentVersion current { id ... on Document { title version } } }
  }
}
"""

PLACE_SECTION = """
mutation ($docId: ID!, $sectionId: ID!) {
  placeSection(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on PlaceSectionSuccess { placement { position document { id } section { id } } }
    ... on Error { message code }
    ... on DocumentNotFound { docId }
    ... on SectionNotFound { sectionId }
    ... on Forbidden { subjectId }
  }
}
"""

REMOVE_SECTION = """
mutation ($docId: ID!, $sectionId: ID!) {
  removeSection(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on RemoveSectionSuccess { section { id title chat { id } } }
    ... on Error { message code }
    ... on DocumentNotFound { docId }
    ... on SectionNotFound { sectionId }
    ... on SectionNotInDocument { docId sectionId }
    ... on Forbidden { subjectId }
  }
}
"""

ENSURE_CHAT = """
mutation ($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on ChatSession { id ensured section { id } document { id } }
    ... on Error { message code }
  }
}
"""

POST_MESSAGE = """
mutation ($chatId: ID!, $content: String!, $clientId: String) {
  postMessage(chatId: $chatId, content: $content, clientId: $clientId) {
    __typename
    ... on PostMessageSuccess {
      postedMessage { id seq role author { id } content clientId createdAt chat { id messageCount updatedAt } }
    }
    ... on Error { message code }
    ... on ChatSessionNotFound { chatId }
    ... on InvalidInput { violations { path message } }
    ... on ClientIdConflict { chatId clientId messageId }
    ... on Forbidden { subjectId }
  }
}
"""

DOCUMENT = """
query ($id: ID!) {
  document(id: $id) { id title description createdBy { id } createdAt updatedAt markdown }
}
"""

DOCUMENTS = """
query ($first: Int = 20, $after: String) {
  documents(first: $first, after: $after) {
    edges { cursor node { id title createdAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

SECTIONS = """
query ($docId: ID!, $first: Int = 500, $after: String) {
  document(id: $docId) {
    sections(first: $first, after: $after) {
      edges { cursor position node { id title level content } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""


Connection = dict[str, Any]
TRASH = """
mutation ($docId: ID!, $sectionId: ID!) {
  trashSection(sectionId: $sectionId) { __typename }
  trashDocument(docId: $docId) { __typename }
}
"""

TRASHED = datetime(2026, 1, 1, tzinfo=UTC)
"""When what is in the trash from the beginning was put there."""


def unwrapped(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object in a success with the `__typename` of the answer; an error stays as it is."""
    entity = answer.pop(name, {})
    return {**answer, **entity}


def arguments(refused: dict[str, Any]) -> list[str]:
    """Return the arguments that an InvalidInput is about."""
    return [".".join(violation["path"]) for violation in refused.get("violations", ())]


async def create_document(client: Client, title: str = "A document", **arguments: Any) -> str:
    """Make a document and return its id."""
    created = (await client(CREATE_DOCUMENT, title=title, **arguments))["createDocument"]
    assert created["__typename"] == "CreateDocumentSuccess", created
    return str(created["document"]["id"])


async def import_document(client: Client, markdown: str, **arguments: Any) -> str:
    """Make a document from Markdown and return its id."""
    imported = (await client(IMPORT_DOCUMENT, markdown=markdown, **arguments))["importDocument"]
    assert imported["__typename"] == "ImportDocumentSuccess", imported
    return str(imported["document"]["id"])


async def create_section(client: Client, document_id: str, **arguments: Any) -> str:
    """Make a section at the end of a document and return its id."""
    created = (await client(CREATE_SECTION, docId=document_id, **arguments))["createSection"]
    assert created["__typename"] == "CreateSectionSuccess", created
    return str(created["section"]["id"])


async def edit(client: Client, section_id: str, changes: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Change a section, and return it."""
    edited = (await client(UPDATE_SECTION, sectionId=section_id, changes=changes, **arguments))["updateSection"]
    assert edited["__typename"] == "UpdateSectionSuccess", edited
    section: dict[str, Any] = edited["section"]
    return section


async def edit_document(client: Client, document_id: str, changes: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Change a document, and return it."""
    edited = (await client(UPDATE_DOCUMENT, docId=document_id, changes=changes, **arguments))["updateDocument"]
    assert edited["__typename"] == "UpdateDocumentSuccess", edited
    document: dict[str, Any] = edited["document"]
    return document


async def ensure_chat(client: Client, document_id: str, section_id: str) -> str:
    """Return the id of the chat of a section."""
    ensured = (await client(ENSURE_CHAT, docId=document_id, sectionId=section_id))["ensureSectionChat"]
    assert ensured["__typename"] == "ChatSession", ensured
    return str(ensured["id"])


async def post_message(client: Client, chat_id: str, content: str, **arguments: Any) -> dict[str, Any]:
    """Post a message and return it."""
    posted = (await client(POST_MESSAGE, chatId=chat_id, content=content, **arguments))["postMessage"]
    assert posted["__typename"] == "PostMessageSuccess", posted
    message: dict[str, Any] = posted["postedMessage"]
    return message


async def section_edges(client: Client, document_id: str) -> list[dict[str, Any]]:
    """Read all sections of a document of up to 500, as they are placed."""
    found = (await client(SECTIONS, docId=document_id))["document"]["sections"]
    assert not found["pageInfo"]["hasNextPage"]
    edges: list[dict[str, Any]] = found["edges"]
    return edges


async def section_ids(client: Client, document_id: str) -> list[str]:
    """Read the ids of all sections of a document, in reading order."""
    return [edge["node"]["id"] for edge in await section_edges(client, document_id)]


async def trash(client: Client, document: str, section: str) -> None:
    """Put a section and a document into the trash."""
    answer = await client(TRASH, docId=document, sectionId=section)
    assert [each["__typename"] for each in answer.values()] == ["TrashSectionSuccess", "TrashDocumentSuccess"]


def headings(count: int, text: str = "Text.") -> str:
    """Write a Markdown document of that many sections."""
    return "".join(f"# Section {number}\n\n{text}\n\n" for number in range(1, count + 1))


async def pages_forward(read: Callable[..., Awaitable[Connection]], size: int) -> list[Connection]:
    """Read a connection from its front, page by page; what the pages say of where they stand is checked."""
    pages: list[Connection] = []
    after = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        page = await read(first=size, after=after)
        assert 0 < len(page["edges"]) <= size
        assert page["pageInfo"]["hasPreviousPage"] is bool(pages)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        after = page["pageInfo"]["endCursor"]
        pages.append(page)
    return pages


async def pages_backward(read: Callable[..., Awaitable[Connection]], size: int) -> list[Connection]:
    """Read a connection from its back, page by page; the pages are returned in the order of the connection."""
    pages: list[Connection] = []
    before = None
    while not pages or pages[0]["pageInfo"]["hasPreviousPage"]:
        page = await read(last=size, before=before)
        assert 0 < len(page["edges"]) <= size
        assert page["pageInfo"]["hasNextPage"] is bool(pages)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        before = page["pageInfo"]["startCursor"]
        pages.insert(0, page)
    return pages


def nodes(pages: list[Connection]) -> list[dict[str, Any]]:
    """Return the nodes of some pages, in order."""
    return [edge["node"] for page in pages for edge in page["edges"]]
