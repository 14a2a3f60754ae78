"""`ensureSectionChat`: what it costs, and what it leaves alone."""

import pytest

from db.connection.database import Database
from db.models import Document, Section
from tests.support import factories
from tests.support.client import Served
from tests.support.counting import counted

pytestmark = pytest.mark.usefixtures("ensured")

ENSURE_ALL = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    ... on ChatSession {
      id ensured createdBy { id } createdAt updatedAt messageCount
      section { id title level content chat { id ensured } }
      document { id title description createdAt }
    }
  }
}
"""

MANY = """
mutation Many($docId: ID!, $sectionId: ID!) {
  a: ensureSectionChat(docId: $docId, sectionId: $sectionId) { ...chat }
  b: ensureSectionChat(docId: $docId, sectionId: $sectionId) { ...chat }
}
fragment chat on ChatSession { id ensured section { chat { id ensured } } }
"""


@pytest.fixture
async def section(database: Database) -> Section:
    return await factories.section(database, await factories.document(database, id="doc_here"))


@pytest.fixture
async def ensured(client: Served, section: Section) -> None:
    """Open the chat, so that what follows is the hot path."""
    await client(ENSURE_ALL, docId="doc_here", sectionId=section.id)


async def test_the_hot_path_is_one_statement_with_all_that_hangs_on_it(client: Served, section: Section) -> None:
    with counted(client.database) as statements:
        data = await client(ENSURE_ALL, docId="doc_here", sectionId=section.id)
    assert data["ensureSectionChat"]["ensured"] == "FOUND"
    assert data["ensureSectionChat"]["section"]["content"] == section.content
    assert data["ensureSectionChat"]["document"]["id"] == "doc_here"
    assert len(statements) == 1, statements


async def test_so_it_is_through_another_document_that_holds_the_section(
    client: Served, database: Database, section: Section
) -> None:
    other = await factories.document(database)
    await factories.place(database, other, section)
    with counted(client.database) as statements:
        data = await client(ENSURE_ALL, docId=other.id, sectionId=section.id)
    assert data["ensureSectionChat"]["document"]["id"] == "doc_here"
    assert len(statements) == 1, statements


async def test_only_the_answer_of_the_ensure_says_what_it_did(client: Served, section: Section) -> None:
    data = await client(MANY, docId="doc_here", sectionId=section.id)
    for answer in data.values():
        assert answer["ensured"] == "FOUND"
        assert answer["section"]["chat"] == {"id": answer["id"], "ensured": None}


async def test_ids_that_no_row_can_have_cost_no_more(client: Served, section: Section) -> None:
    for doc_id, section_id in [("doc_\0", section.id), ("doc_here", "sec_\ud800"), ("", "x" * 10_000)]:
        with counted(client.database) as statements:
            data = await client(
                ENSURE_ALL.replace("id ensured", "__typename id", 1), docId=doc_id, sectionId=section_id
            )
        assert data["ensureSectionChat"] == {}
        assert len(statements) == 1


async def test_the_first_ensure_reads_once_and_writes_in_one_transaction(client: Served, database: Database) -> None:
    fresh = await factories.section(database)
    document = Document(workspace_id="local", id="doc_here")
    await factories.place(database, document, fresh, "a1")
    with counted(client.database) as statements:
        await client(
            'mutation E($s: ID!) { ensureSectionChat(docId: "doc_here", sectionId: $s) { __typename } }', s=fresh.id
        )
    kinds = [statement.split()[0] for statement in statements]
    if database.dialect == "postgresql":
        # One statement does it: lock the anchor, insert the chat, point the section to it. (It is reported before
        # the BEGIN that the driver sends for it.)
        assert kinds == ["SELECT", "WITH", "BEGIN", "COMMIT;"]
    else:
        assert kinds == ["SELECT", "BEGIN", "WITH", "WITH", "COMMIT"]
