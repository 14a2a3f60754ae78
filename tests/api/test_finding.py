"""Finding: documents and sections by what they have in common, in the order of their creation or their last change."""

import asyncio
from typing import Any

import pytest

from db.principals import Principal, Role
from tests.api.operations import (
    REMOVE_SECTION,
    create_document,
    create_section,
    edit,
    edit_document,
    ensure_chat,
    headings,
    import_document,
    nodes,
    pages_backward,
    pages_forward,
    section_ids,
    trash,
)
from tests.api.test_grants import set_access
from tests.conftest import Serve
from tests.support.client import Client

PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id title } }"
ARGUMENTS = "filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before"
VARIABLES = "$orderBy: OrderBy! = CREATED, $first: Int, $after: String, $last: Int, $before: String"
DOCUMENTS = f"query ($filter: DocumentFilter, {VARIABLES}) {{ found: documents({ARGUMENTS}) {{ {PAGE} }} }}"
SECTIONS = f"query ($filter: SectionFilter, {VARIABLES}) {{ found: sections({ARGUMENTS}) {{ {PAGE} }} }}"


async def titles(client: Client, query: str, **arguments: Any) -> list[str]:
    """Return the titles that a query finds, and check that it counts them."""
    found = (await client(query, **arguments))["found"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"]["title"] for edge in found["edges"]]


@pytest.fixture
async def documents(client: Client) -> dict[str, str]:
    """Make documents one after the other, and return their ids by title."""
    made = {}
    for title in ("Plan A", "Plan \u00c4", "100% _done_", "Other"):
        made[title] = await create_document(client, title)
        await asyncio.sleep(0.002)  # SQLite's clock has milliseconds
    return made


async def test_documents_are_found_by_a_part_of_their_title(client: Client, documents: dict[str, str]) -> None:
    for part, found in {
        "plan": ["Plan \u00c4", "Plan A"],
        "PLAN a": ["Plan A"],
        "plan \u00c4": ["Plan \u00c4"],
        "plan \u00e4": [],
        "%": ["100% _done_"],
        "_": ["100% _done_"],
        "": ["Other", "100% _done_", "Plan \u00c4", "Plan A"],
        "\\": [],
    }.items():
        assert await titles(client, DOCUMENTS, filter={"titleContains": part}) == found, part


async def test_documents_are_found_by_all_their_tags(client: Client, documents: dict[str, str]) -> None:
    await edit_document(client, documents["Plan A"], {"tags": ["a", "b'\"%", "c"]})
    await edit_document(client, documents["Other"], {"tags": ["a"]})
    for tags, found in (
        (["a"], ["Other", "Plan A"]),
        (["b'\"%", "a"], ["Plan A"]),
        (["A"], []),
        (["a", "x"], []),
        ([], ["Other", "100% _done_", "Plan \u00c4", "Plan A"]),
    ):
        assert await titles(client, DOCUMENTS, filter={"tags": tags}) == found, tags


async def test_documents_are_listed_by_their_last_change(client: Client, documents: dict[str, str]) -> None:
    await edit_document(client, documents["Plan A"], {"description": "New"})
    order = ["Plan A", "Other", "100% _done_", "Plan \u00c4"]
    assert await titles(client, DOCUMENTS, orderBy="UPDATED") == order
    assert await titles(client, DOCUMENTS) == ["Other", "100% _done_", "Plan \u00c4", "Plan A"]
    changed = (await client("query ($id: ID!) { document(id: $id) { updatedAt } }", id=documents["Plan A"]))["document"]
    assert await titles(client, DOCUMENTS, filter={"updatedSince": changed["updatedAt"]}) == ["Plan A"]


async def test_pages_of_what_is_found_have_each_once(client: Client) -> None:
    for number in range(7):
        await edit_document(client, await create_document(client, f"Title {number}"), {"tags": ["a"]})
        await asyncio.sleep(0.002)  # as above
    for by in ("CREATED", "UPDATED"):

        async def read(by: str = by, **page: Any) -> Any:
            return (await client(DOCUMENTS, filter={"tags": ["a"]}, orderBy=by, **page))["found"]

        for pages in (await pages_forward(read, 3), await pages_backward(read, 3)):
            assert [each["title"] for each in nodes(pages)] == [f"Title {number}" for number in range(6, -1, -1)]
            assert {page["totalCount"] for page in pages} == {7}


async def test_what_was_created_by_somebody_is_found(serve: Serve, client: Client, documents: dict[str, str]) -> None:
    async with serve(Principal("edna", "local", Role.EDITOR)) as edna:
        await create_section(edna, await create_document(edna, "Hers"), title="Her section")
    for user in ("edna", "user_edna"):
        assert await titles(client, DOCUMENTS, filter={"createdBy": user}) == ["Hers"]
        assert await titles(client, SECTIONS, filter={"createdBy": user}) == ["Her section"]


async def test_sections_are_found_by_what_they_are_and_have(client: Client) -> None:
    document = await import_document(client, headings(4))
    one, two, three, four = await section_ids(client, document)
    await edit(client, one, {"status": "REVIEWED", "tags": ["x"]})
    await ensure_chat(client, document, two)
    await client(REMOVE_SECTION, docId=document, sectionId=three)
    await trash(client, await create_document(client), four)
    for wanted, found in (
        ({"status": "REVIEWED"}, {"Section 1"}),
        ({"tags": ["x"]}, {"Section 1"}),
        ({"hasChat": True}, {"Section 2"}),
        ({"hasChat": False}, {"Section 1", "Section 3"}),
        ({"isPlaced": False}, {"Section 3"}),
        ({"isPlaced": True}, {"Section 1", "Section 2"}),
        ({"isPlaced": True, "hasChat": False, "titleContains": "section"}, {"Section 1"}),
        ({"status": None, "hasChat": None}, {"Section 1", "Section 2", "Section 3"}),
        (None, {"Section 1", "Section 2", "Section 3"}),
    ):
        assert set(await titles(client, SECTIONS, filter=wanted)) == found, wanted


async def test_only_what_one_may_see_is_found(serve: Serve, client: Client) -> None:
    document = await create_document(client, "Hidden")
    section = await create_section(client, document, title="Hidden too")
    await set_access(client, document, "RESTRICTED")
    async with serve(Principal("rita", "local", Role.READER)) as rita:
        for query, wanted in ((DOCUMENTS, {"titleContains": "hidden"}), (SECTIONS, {"titleContains": "hidden"})):
            assert await titles(rita, query, filter=wanted) == []
            assert len(await titles(client, query, filter=wanted)) == 1
        await client(REMOVE_SECTION, docId=document, sectionId=section)
        assert await titles(rita, SECTIONS, filter={"isPlaced": False}) == []
