"""Placements: one section in several documents, put there by reference and taken out again."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from db.connection.database import Database
from db.models import Document
from db.principals import Principal, Role
from tests.api.operations import (
    DOCUMENT,
    ENSURE_CHAT,
    PLACE_SECTION,
    REMOVE_SECTION,
    Connection,
    create_document,
    create_section,
    ensure_chat,
    headings,
    import_document,
    nodes,
    pages_forward,
    post_message,
    section_edges,
    section_ids,
    unwrapped,
)
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client

DOCUMENTS_OF_SECTION = """
query ($id: ID!, $first: Int = 20, $after: String) {
  section(id: $id) {
    documents(first: $first, after: $after) {
      edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""

CHAT = "query ($id: ID!) { chatSession(id: $id) { messageCount section { id } document { id } } }"


async def place(client: Client, document: str, section: str) -> dict[str, Any]:
    return unwrapped((await client(PLACE_SECTION, docId=document, sectionId=section))["placeSection"], "placement")


async def remove(client: Client, document: str, section: str) -> dict[str, Any]:
    return unwrapped((await client(REMOVE_SECTION, docId=document, sectionId=section))["removeSection"], "section")


async def ensured(client: Client, document: str, section: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client(ENSURE_CHAT, docId=document, sectionId=section))["ensureSectionChat"]
    return answer


async def documents_of(client: Client, section: str, **arguments: Any) -> Connection:
    page: Connection = (await client(DOCUMENTS_OF_SECTION, id=section, **arguments))["section"]["documents"]
    return page


@pytest.fixture
async def one(client: Client) -> str:
    return await create_document(client, "One")


@pytest.fixture
async def two(client: Client, one: str) -> str:
    return await import_document(client, headings(2))


@pytest.fixture
async def section(client: Client, one: str) -> str:
    return await create_section(client, one)


async def test_a_section_placed_by_reference_is_appended(client: Client, two: str, section: str) -> None:
    before = await section_ids(client, two)
    placed = await place(client, two, section)
    assert placed.pop("position") > (await section_edges(client, two))[1]["position"]
    assert placed == {
        "__typename": "PlaceSectionSuccess",
        "document": {"id": two},
        "section": {"id": section},
    }
    assert await section_ids(client, two) == [*before, section]


async def test_a_section_placed_again_stays_where_it_is(client: Client, two: str) -> None:
    edges = await section_edges(client, two)
    changed = (await client(DOCUMENT, id=two))["document"]["updatedAt"]
    placed = await place(client, two, edges[0]["node"]["id"])
    assert placed["position"] == edges[0]["position"]
    assert await section_edges(client, two) == edges
    assert (await client(DOCUMENT, id=two))["document"]["updatedAt"] == changed


async def test_a_section_placed_by_ten_at_once_stands_there_once(client: Client, two: str, section: str) -> None:
    placed = await asyncio.gather(*(place(client, two, section) for _ in range(10)))
    assert {answer["__typename"] for answer in placed} == {"PlaceSectionSuccess"}
    assert len({answer["position"] for answer in placed}) == 1
    assert (await section_ids(client, two)).count(section) == 1


async def test_a_section_placed_by_reference_shares_its_chat(client: Client, one: str, two: str, section: str) -> None:
    await place(client, two, section)
    through_two = await ensured(client, two, section)
    through_one = await ensured(client, one, section)
    assert through_two["ensured"] == "CREATED"
    assert (through_one["id"], through_one["ensured"]) == (through_two["id"], "FOUND")
    assert through_one["document"] == through_two["document"] == {"id": two}


async def test_a_section_lists_the_documents_it_stands_in(client: Client, one: str, two: str, section: str) -> None:
    assert [document["id"] for document in nodes([await documents_of(client, section)])] == [one]
    await place(client, two, section)
    assert [document["id"] for document in nodes([await documents_of(client, section)])] == [two, one]


async def test_the_documents_of_a_section_come_page_by_page(client: Client, database: Database) -> None:
    row = await factories.section(database)
    rows = []
    for day in range(1, 18):
        rows.append(await factories.document(database, created_at=datetime(2026, 1, day, tzinfo=UTC)))
        await factories.place(database, rows[-1], row)
    pages = await pages_forward(lambda **arguments: documents_of(client, row.id, **arguments), 7)
    assert [document["id"] for document in nodes(pages)] == [document.id for document in reversed(rows)]


async def test_a_removed_section_is_kept_with_its_chat(client: Client, one: str, section: str) -> None:
    chat = await ensure_chat(client, one, section)
    await post_message(client, chat, "Hello")
    assert await remove(client, one, section) == {
        "__typename": "RemoveSectionSuccess",
        "id": section,
        "title": "A section",
        "chat": {"id": chat},
    }
    assert await section_ids(client, one) == []
    assert nodes([await documents_of(client, section)]) == []
    assert (await client(CHAT, id=chat))["chatSession"] == {
        "messageCount": 1,
        "section": {"id": section},
        "document": {"id": one},
    }
    assert (await ensured(client, one, section))["code"] == "SECTION_NOT_IN_DOCUMENT"


async def test_a_section_placed_again_brings_its_chat_back(client: Client, one: str, section: str) -> None:
    chat = await ensure_chat(client, one, section)
    await remove(client, one, section)
    assert (await place(client, one, section))["__typename"] == "PlaceSectionSuccess"
    again = await ensured(client, one, section)
    assert (again["id"], again["ensured"]) == (chat, "FOUND")


async def test_a_section_removed_from_one_document_stays_in_the_other(
    client: Client, one: str, two: str, section: str
) -> None:
    await place(client, two, section)
    chat = await ensure_chat(client, one, section)
    await remove(client, one, section)
    assert (await ensured(client, two, section))["id"] == chat
    assert nodes([await documents_of(client, section)]) == [{"id": two}]


async def test_a_section_is_removed_once(client: Client, one: str, section: str) -> None:
    await remove(client, one, section)
    changed = (await client(DOCUMENT, id=one))["document"]["updatedAt"]
    assert await remove(client, one, section) == {
        "__typename": "SectionNotInDocument",
        "message": "Section not found in this document",
        "code": "SECTION_NOT_IN_DOCUMENT",
        "docId": one,
        "sectionId": section,
    }
    assert (await client(DOCUMENT, id=one))["document"]["updatedAt"] == changed


async def test_of_ten_who_remove_a_section_at_once_one_does(
    client: Client, database: Database, one: str, section: str
) -> None:
    removed = await asyncio.gather(*(remove(client, one, section) for _ in range(10)))
    names = sorted(answer["__typename"] for answer in removed)
    assert names == ["RemoveSectionSuccess"] + ["SectionNotInDocument"] * 9
    async with database.read() as session:
        # Made, given a section, and freed of it: who changes nothing leaves no trace.
        assert (await session.get_one(Document, ("local", one))).version == 3


async def test_the_arrangement_moves_the_time_of_its_document_only(client: Client, one: str, section: str) -> None:
    times = [(await client(DOCUMENT, id=one))["document"]["updatedAt"]]
    other = await create_document(client)
    for change in (place, remove):
        await change(client, other, section)
        times.append((await client(DOCUMENT, id=other))["document"]["updatedAt"])
    assert times == sorted(set(times))
    assert (await client(DOCUMENT, id=one))["document"]["updatedAt"] == times[0]


async def test_what_does_not_exist_is_neither_placed_nor_removed(client: Client, one: str, section: str) -> None:
    for change in (place, remove):
        no_document = await change(client, "doc_missing", section)
        assert (no_document["code"], no_document["docId"]) == ("DOCUMENT_NOT_FOUND", "doc_missing")
        no_section = await change(client, one, "sec_missing")
        assert (no_section["code"], no_section["sectionId"]) == ("SECTION_NOT_FOUND", "sec_missing")
        # An id of the wrong kind never matches.
        assert (await change(client, section, one))["code"] == "DOCUMENT_NOT_FOUND"


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_only_an_editor_arranges(serve: Serve, one: str, two: str, section: str, role: Role) -> None:
    async with serve(Principal("ann", "local", role)) as ann:
        for refused in (await place(ann, two, section), await remove(ann, one, section)):
            assert (refused["__typename"], refused["code"]) == ("Forbidden", "FORBIDDEN")
        assert await section_ids(ann, one) == [section]
        assert section not in await section_ids(ann, two)
