"""Sections: making them in a document, and reading them there."""

import asyncio
import itertools
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from db.connection.database import Database
from db.models import Document, Section
from db.principals import Principal, Role
from tests.api.operations import (
    CREATE_SECTION,
    SECTIONS,
    TRASHED,
    Connection,
    arguments,
    create_document,
    create_section,
    ensure_chat,
    headings,
    import_document,
    nodes,
    pages_forward,
    section_edges,
    section_ids,
    unwrapped,
)
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client

SECTION = """
query ($id: ID!) {
  section(id: $id) { id title level content createdBy { id } createdAt updatedAt chat { id } }
}
"""

WITHOUT_OPTIONS = """
mutation ($docId: ID!) {
  createSection(docId: $docId, section: {title: "Plain"}) {
    ... on CreateSectionSuccess { section { id level content } }
  }
}
"""


async def answer(client: Client, document: str, **given: Any) -> dict[str, Any]:
    return unwrapped((await client(CREATE_SECTION, docId=document, **given))["createSection"], "section")


async def state(database: Database, document: str) -> tuple[int, datetime, int]:
    """Return the version and the time of a document, and how many sections there are at all."""
    async with database.read() as session:
        count = select(func.count()).select_from(Section).scalar_subquery()
        row = await session.execute(select(Document.version, Document.updated_at, count).filter_by(id=document))
        version, updated_at, sections = row.one()
        return version, updated_at, sections


@pytest.fixture
async def document(client: Client) -> str:
    return await create_document(client)


async def test_a_section_is_made_and_read_back(client: Client, document: str) -> None:
    made = await answer(client, document, title=" A *title* ", level=3, content="Text  \r\n\r\n<b>&amp;</b> 🎈\n")
    assert made.pop("__typename") == "CreateSectionSuccess"
    assert made["id"].startswith("sec_")
    assert (made["title"], made["level"], made["createdBy"]) == ("A *title*", 3, {"id": "user_local"})
    assert made["content"] == "Text  \r\n\r\n<b>&amp;</b> 🎈\n"
    assert made["createdAt"] == made["updatedAt"]
    assert (await client(SECTION, id=made["id"]))["section"] == {**made, "chat": None}


async def test_a_section_shows_its_chat_once_it_is_opened(client: Client, document: str) -> None:
    section = await create_section(client, document)
    chat = await ensure_chat(client, document, section)
    assert (await client(SECTION, id=section))["section"]["chat"] == {"id": chat}


async def test_a_section_is_of_the_first_level_and_empty_unless_told_otherwise(client: Client, document: str) -> None:
    made = (await client(WITHOUT_OPTIONS, docId=document))["createSection"]["section"]
    assert (made["level"], made["content"]) == (1, "")


async def test_a_section_is_appended(client: Client) -> None:
    document = await import_document(client, headings(3))
    before = await section_ids(client, document)
    added = [await create_section(client, document) for _ in range(2)]
    assert await section_ids(client, document) == before + added


async def test_a_new_section_changes_the_time_of_its_document(
    client: Client, database: Database, document: str
) -> None:
    version, updated_at, _ = await state(database, document)
    await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
    await create_section(client, document)
    after = await state(database, document)
    assert (after[0], after[2]) == (version + 1, 1)
    assert after[1] > updated_at


async def test_a_level_is_from_one_to_six(client: Client, document: str) -> None:
    for level in range(1, 7):
        assert (await answer(client, document, level=level))["level"] == level
    for level in (0, 7, -1, 2**31 - 1):
        refused = await answer(client, document, level=level)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["section.level"]), level


async def test_a_section_without_a_title_of_one_line_is_refused(client: Client, document: str) -> None:
    for title in ("", " \t", "two\nlines", "x" * 1_001):
        refused = await answer(client, document, title=title)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["section.title"]), title


async def test_the_content_is_limited_as_published(client: Client, document: str) -> None:
    assert (await answer(client, document, content="é" * 1_000_000))["content"] == "é" * 1_000_000
    for content in ("é" * 1_000_001, "a\0b"):
        refused = await answer(client, document, content=content)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["section.content"])
    assert len(await section_ids(client, document)) == 1


async def test_a_caller_may_choose_the_id_of_a_section(client: Client, document: str) -> None:
    for own_id in ("a", "notion:1a/b", "x" * 200):
        assert (await answer(client, document, id=own_id))["id"] == f"sec_{own_id}"
    for own_id in ("", "sec_", "a b", "x" * 201):
        refused = await answer(client, document, id=own_id)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["section.id"]), own_id
    assert await section_ids(client, document) == ["sec_a", "sec_notion:1a/b", "sec_" + "x" * 200]


async def test_an_id_that_is_taken_changes_nothing(client: Client, database: Database, document: str) -> None:
    await create_section(client, await create_document(client), id="sec_elsewhere")
    await factories.section(database, id="sec_trashed", deleted_at=TRASHED)
    before = await state(database, document)
    for own_id in ("sec_elsewhere", "sec_trashed"):
        refused = await answer(client, document, id=own_id, title="Another")
        assert (refused["__typename"], refused["code"], refused["takenId"]) == ("IdTaken", "ID_TAKEN", own_id)
    assert await state(database, document) == before
    assert await section_ids(client, document) == []


async def test_a_section_of_no_document_is_not_made(client: Client, database: Database) -> None:
    refused = await answer(client, "doc_missing")
    assert (refused["__typename"], refused["code"]) == ("DocumentNotFound", "DOCUMENT_NOT_FOUND")
    assert refused["docId"] == "doc_missing"
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Section)) == 0


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_only_an_editor_makes_sections(serve: Serve, document: str, role: Role) -> None:
    async with serve(Principal("ann", "local", role)) as ann:
        refused = await answer(ann, document)
        assert (refused["__typename"], refused["subjectId"]) == ("Forbidden", document)
        assert (await answer(ann, "doc_missing"))["__typename"] == "DocumentNotFound"
        assert await section_ids(ann, document) == []


@pytest.mark.slow
async def test_positions_of_appended_sections_grow_in_byte_order(client: Client, document: str) -> None:
    made = [await create_section(client, document, title=str(number)) for number in range(200)]
    edges = await section_edges(client, document)
    assert [edge["node"]["id"] for edge in edges] == made
    positions = [edge["position"].encode() for edge in edges]
    assert all(before < after for before, after in itertools.pairwise(positions))


async def test_twenty_sections_made_at_once_get_twenty_places(client: Client) -> None:
    document = await import_document(client, headings(1))
    titles = [str(number) for number in range(20)]
    made = await asyncio.gather(*(create_section(client, document, title=title) for title in titles))
    edges = await section_edges(client, document)
    assert {edge["node"]["id"] for edge in edges[1:]} == set(made)
    assert len({edge["position"] for edge in edges}) == 21
    assert sorted(edge["node"]["title"] for edge in edges[1:]) == sorted(titles)


async def test_pages_of_seven_give_each_section_exactly_once(client: Client) -> None:
    document = await import_document(client, headings(23))

    async def read(**arguments: Any) -> Connection:
        page: Connection = (await client(SECTIONS, docId=document, **arguments))["document"]["sections"]
        return page

    pages = await pages_forward(read, 7)
    assert [len(page["edges"]) for page in pages] == [7, 7, 7, 2]
    assert [section["title"] for section in nodes(pages)] == [f"Section {number}" for number in range(1, 24)]


async def test_a_page_has_up_to_five_hundred_sections(client: Client) -> None:
    document = await import_document(client, headings(501))
    page = (await client(SECTIONS, docId=document, first=500))["document"]["sections"]
    assert (len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (500, True)
    assert len((await client(SECTIONS, docId=document, first=None))["document"]["sections"]["edges"]) == 20
    for first in (-1, 501):
        result = await client.result(SECTIONS, docId=document, first=first)
        assert [error["extensions"]["code"] for error in result["errors"]] == ["BAD_USER_INPUT"]


async def test_sections_at_one_position_are_read_once_each(client: Client, database: Database) -> None:
    row = await factories.document(database)
    made = [(await factories.section(database, row, id=f"sec_{number}")).id for number in range(5)]

    async def read(**arguments: Any) -> Connection:
        page: Connection = (await client(SECTIONS, docId=row.id, **arguments))["document"]["sections"]
        return page

    assert [section["id"] for section in nodes(await pages_forward(read, 2))] == made
