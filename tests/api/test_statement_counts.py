"""How many statements an operation takes: as many for much as for little."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.arranging import COPY, MOVE
from tests.api.operations import (
    UPDATE_DOCUMENT,
    UPDATE_SECTION,
    create_document,
    create_section,
    ensure_chat,
    headings,
    import_document,
    post_message,
    section_ids,
)
from tests.conftest import Serve
from tests.support.client import Served
from tests.support.counting import counted

SECTIONS = """
query ($id: ID!) { document(id: $id) { sections(first: 500) { edges { position node { title level content } } } } }
"""

SECTIONS_WITH_CHATS_AND_DOCUMENTS = """
query ($id: ID!) {
  document(id: $id) {
    sections(first: 500) {
      edges { node { title chat { id messageCount } documents { edges { node { id title } } } } }
    }
  }
}
"""

SECTIONS_WITH_MESSAGES = """
query ($id: ID!) {
  document(id: $id) {
    sections(first: 500) { edges { node { chat { messages(first: 3) { edges { node { seq content } } } } } } }
  }
}
"""

NODES = """
query ($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on Document { title }
    ... on Section { level }
    ... on ChatSession { messageCount }
    ... on Message { seq }
  }
}
"""

MARKDOWN_OF_ALL = "{ documents(first: 40) { edges { node { markdown } } } }"

IMPORT = """
mutation ($markdown: String!) {
  importDocument(markdown: $markdown) { ... on ImportDocumentSuccess { document { id title createdAt } } }
}
"""

CREATE_DOCUMENT = (
    'mutation { createDocument(title: "A") { ... on CreateDocumentSuccess { document { id title createdAt } } } }'
)

CREATE_SECTION = """
mutation ($docId: ID!) {
  createSection(docId: $docId, section: {title: "A"}) { ... on CreateSectionSuccess { section { id title createdAt } } }
}
"""

PLACE = """
mutation ($docId: ID!, $sectionId: ID!) {
  placeSection(docId: $docId, sectionId: $sectionId) { ... on PlaceSectionSuccess { placement { position } } }
}
"""

REMOVE = """
mutation ($docId: ID!, $sectionId: ID!) {
  removeSection(docId: $docId, sectionId: $sectionId) { ... on RemoveSectionSuccess { section { id title } } }
}
"""

POST = """
mutation ($chatId: ID!, $clientId: String) {
  postMessage(chatId: $chatId, content: "Hello", clientId: $clientId) {
    ... on PostMessageSuccess { postedMessage { id seq } }
  }
}
"""


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    # One connection to read with: no batch may wait for another one that waits for it.
    async with serve(pool_size=1) as serving:
        yield serving


async def sent(client: Served, operation: str, **variables: Any) -> dict[str, int]:
    """Run an operation, which must not answer with an error, and return how often each kind of statement was sent."""
    with counted(client.database) as statements:
        (answer,) = (await client(operation, **variables)).values()
    assert answer
    kinds = Counter(statement.split()[0].rstrip(";") for statement in statements)
    del kinds["SET"]  # of a connection that is new
    return dict(kinds)


async def document_with_chats(client: Served, sections: int) -> str:
    """Make a document whose sections have a chat each; every tenth has a message, and stands in another document."""
    document, other = await import_document(client, headings(sections)), await create_document(client)
    for number, section in enumerate(await section_ids(client, document)):
        chat = await ensure_chat(client, document, section)
        if number % 10 == 0:
            await post_message(client, chat, "Hello")
            await client(PLACE, docId=other, sectionId=section)
    return document


@pytest.mark.slow
async def test_a_document_of_200_sections_takes_as_many_statements_as_one_of_20(client: Served) -> None:
    for sections in (20, 200):
        document = await document_with_chats(client, sections)
        assert await sent(client, SECTIONS, id=document) == {"SELECT": 2}
        assert await sent(client, SECTIONS_WITH_CHATS_AND_DOCUMENTS, id=document) == {"SELECT": 4}
        assert await sent(client, SECTIONS_WITH_MESSAGES, id=document) == {"SELECT": 4}


async def test_nodes_take_a_statement_for_each_kind(client: Served) -> None:
    documents = [await document_with_chats(client, 2) for _ in range(2)]
    sections = [section for document in documents for section in await section_ids(client, document)]
    chats = [await ensure_chat(client, documents[0], section) for section in sections[:2]]
    messages = [(await post_message(client, chat, "Hello"))["id"] for chat in chats]
    assert await sent(client, NODES, ids=documents) == {"SELECT": 1}
    assert await sent(client, NODES, ids=documents + sections + chats + messages) == {"SELECT": 4}


async def test_the_markdown_of_many_documents_takes_one_statement(client: Served) -> None:
    for _ in range(2):
        for _ in range(5):
            await import_document(client, headings(2))
        assert await sent(client, MARKDOWN_OF_ALL) == {"SELECT": 2}


async def test_a_thousand_sections_are_imported_with_as_many_statements_as_one(client: Served) -> None:
    expected = {"BEGIN": 1, "INSERT": 3, "COMMIT": 1}
    assert await sent(client, IMPORT, markdown=headings(1)) == expected
    assert await sent(client, IMPORT, markdown=headings(1_000)) == expected
    assert await sent(client, IMPORT, markdown="Before the first heading.\n\n" + headings(10)) == expected


async def test_a_document_is_made_with_one_statement_in_a_transaction(client: Served) -> None:
    assert await sent(client, CREATE_DOCUMENT) == {"BEGIN": 1, "INSERT": 1, "COMMIT": 1}


async def test_a_section_is_made_with_as_many_statements_wherever_it_goes(client: Served) -> None:
    for size in (1, 100):
        document = await import_document(client, headings(size))
        assert await sent(client, CREATE_SECTION, docId=document) == {
            "SELECT": 3,
            "BEGIN": 1,
            "UPDATE": 1,
            "INSERT": 3,
            "COMMIT": 1,
        }


async def test_a_section_is_changed_and_moved_with_as_many_statements_in_any_document(client: Served) -> None:
    for size in (3, 100):
        document = await import_document(client, headings(size))
        one, two, *_ = await section_ids(client, document)
        changed = {"SELECT": 2, "BEGIN": 1, "INSERT": 1, "UPDATE": 1, "COMMIT": 1}
        assert await sent(client, UPDATE_SECTION, sectionId=one, changes={"content": "New"}) == changed
        assert await sent(client, UPDATE_DOCUMENT, docId=document, changes={"title": "New"}) == changed
        moved = {"SELECT": 7, "BEGIN": 1, "INSERT": 2, "UPDATE": 2, "COMMIT": 1}
        assert await sent(client, MOVE, docId=document, sectionId=one, at={"after": two}) == moved
        copied = {"SELECT": 8, "BEGIN": 1, "INSERT": 3, "UPDATE": 1, "COMMIT": 1}
        assert await sent(client, COPY, docId=document, sectionId=one) == copied


async def test_a_section_is_placed_and_removed_with_few_statements(client: Served) -> None:
    document, other = await create_document(client), await create_document(client)
    placed = {"docId": document, "sectionId": await create_section(client, other)}
    assert await sent(client, PLACE, **placed) == {"SELECT": 5, "BEGIN": 1, "UPDATE": 1, "INSERT": 2, "COMMIT": 1}
    assert await sent(client, PLACE, **placed) == {"SELECT": 1}
    removed = {"SELECT": 3, "BEGIN": 1, "INSERT": 2, "UPDATE": 2, "DELETE": 1, "COMMIT": 1}
    assert await sent(client, REMOVE, **placed) == removed


async def test_a_message_is_posted_with_few_statements(client: Served) -> None:
    document = await create_document(client)
    chat = await ensure_chat(client, document, await create_section(client, document))
    posted = {"SELECT": 1, "BEGIN": 1, "UPDATE": 1, "INSERT": 1, "COMMIT": 1}
    for _ in range(2):
        assert await sent(client, POST, chatId=chat) == posted
    assert await sent(client, POST, chatId=chat, clientId="k1") == {**posted, "SELECT": 2}
    # Sent again: found, and nothing is written.
    assert await sent(client, POST, chatId=chat, clientId="k1") == {"SELECT": 2}
