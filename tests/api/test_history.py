"""History: every earlier version of a section and a document can be read, compared and given back."""

import asyncio
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Principal, Role
from services.diffs import Diff
from tests.api.arranging import MOVE, PLACE, arrange
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
from tests.support.client import Client, Served
from tests.support.counting import counted
from tests.support.invariants import violations

STATE = "version title level content status tags metadata editedBy { id } changeSummary isGenerated createdAt"

REVISIONS = """
query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  section(id: $id) {
    updatedAt
    revisions(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { STATE } }
    }
  }
}
""".replace("STATE", STATE)

REVISION = "query ($id: ID!, $version: Int!) { section(id: $id) { revision(version: $version) { STATE } } }".replace(
    "STATE", STATE
)

DIFF = """
query ($id: ID!, $from: Int!, $to: Int) {
  node(id: $id) {
    ... on Section { diff(from: $from, to: $to) { unified words { change text } } }
    ... on Document { diff(from: $from, to: $to) { unified words { change text } } }
  }
}
"""

THEN = """
query ($id: ID!, $version: Int!, $first: Int, $after: String, $last: Int, $before: String) {
  document(id: $id) {
    revision(version: $version) {
      version title description tags editedBy { id } changeSummary markdown
      sections(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { sectionId version title content } }
      }
    }
  }
}
"""

REVERT_SECTION = """
mutation ($id: ID!, $version: Int!, $expectedVersion: Int, $summary: String) {
  revertSection(sectionId: $id, version: $version, expectedVersion: $expectedVersion, summary: $summary) {
    __typename
    ... on RevertSectionSuccess { isChanged section { STATE } }
    ... on Error { code message }
    ... on VersionNotFound { subjectId missingVersion }
    ... on VersionConflict { currentVersion }
  }
}
""".replace("STATE", STATE)

REVERT_DOCUMENT = """
mutation ($id: ID!, $version: Int!, $expectedVersion: Int) {
  revertDocument(docId: $id, version: $version, expectedVersion: $expectedVersion) {
    __typename
    ... on RevertDocumentSuccess { isChanged missingCount document { version title tags changeSummary } }
    ... on Error { code message }
    ... on Forbidden { subjectId }
  }
}
"""

COUNT = 5


@pytest.fixture
async def document(client: Client) -> str:
    return await create_document(client, "A title")


@pytest.fixture
async def section(client: Client, document: str) -> str:
    """Make a section with a version for each number: the first is empty, and the latest has the highest number."""
    section = await create_section(client, document, title="A title")
    for number in range(2, COUNT + 1):
        await edit(client, section, {"content": f"Text {number}", "level": number}, summary=f"Step {number}")
    return section


async def then(client: Client, document: str, version: int, **page: Any) -> dict[str, Any]:
    """Read a document at a version."""
    found: dict[str, Any] = (await client(THEN, id=document, version=version, **page))["document"]["revision"]
    return found


async def titles(client: Client, document: str, version: int) -> list[str]:
    """Return the titles of the sections of a document at a version."""
    return [edge["node"]["title"] for edge in (await then(client, document, version))["sections"]["edges"]]


async def test_each_earlier_version_is_listed_with_its_author_and_reason(
    serve: Serve, client: Client, section: str
) -> None:
    async with serve(Principal("edna", "local", Role.EDITOR)) as edna:
        await edit(edna, section, {"content": "Hers"})
    found = (await client(REVISIONS, id=section))["section"]["revisions"]
    assert found["totalCount"] == COUNT
    states = [edge["node"] for edge in found["edges"]]
    assert [state["version"] for state in states] == [5, 4, 3, 2, 1]
    assert [state["content"] for state in states] == ["Text 5", "Text 4", "Text 3", "Text 2", ""]
    assert [state["changeSummary"] for state in states] == ["Step 5", "Step 4", "Step 3", "Step 2", None]
    assert {state["editedBy"]["id"] for state in states} == {"user_local"}
    assert [state["createdAt"] for state in states] == sorted((s["createdAt"] for s in states), reverse=True)
    (present,) = [(await client(REVISION, id=section, version=6))["section"]["revision"]]
    assert (present["content"], present["editedBy"]) == ("Hers", {"id": "user_edna"})
    assert (await client(REVISION, id=section, version=7))["section"]["revision"] is None
    assert (await client(REVISION, id=section, version=3))["section"]["revision"] == states[2]


async def test_versions_are_read_page_by_page(client: Client, section: str) -> None:
    async def read(**page: Any) -> Any:
        return (await client(REVISIONS, id=section, **page))["section"]["revisions"]

    for pages in (await pages_forward(read, 3), await pages_backward(read, 3)):
        assert [each["version"] for each in nodes(pages)] == [4, 3, 2, 1]


async def test_versions_of_many_sections_take_as_many_statements_as_of_one(client: Served, database: Database) -> None:
    query = """
    query ($id: ID!) {
      document(id: $id) { sections(first: 50) { edges { node {
        revisions(first: 2) { totalCount edges { node { content } } }
        revision(version: 1) { content }
        diff(from: 1) { unified }
      } } } }
    }
    """
    taken = set()
    for size in (2, 20):
        document = await import_document(client, headings(size))
        for section in await section_ids(client, document):
            await edit(client, section, {"content": "New"})
        with counted(client.database) as statements:
            found = (await client(query, id=document))["document"]["sections"]["edges"]
        assert [edge["node"]["revision"]["content"] for edge in found] == ["Text."] * size
        assert all("-Text." in edge["node"]["diff"]["unified"] for edge in found)
        taken.add(len(statements))
    assert len(taken) == 1, taken


async def test_two_versions_are_compared_by_lines_and_by_words(client: Client, section: str) -> None:
    diff = (await client(DIFF, id=section, **{"from": 4, "to": 5}))["node"]["diff"]
    assert diff["unified"] == (
        "--- version 4\n+++ version 5\n@@ -1,3 +1,3 @@\n-#### A title\n+##### A title\n \n-Text 4\n+Text 5\n"
    )
    assert diff["words"][-3:] == [
        {"change": "DELETED", "text": "4"},
        {"change": "INSERTED", "text": "5"},
        {"change": "EQUAL", "text": "\n"},
    ]
    for change, text in (("INSERTED", "#### A title\n\nText 4\n"), ("DELETED", "##### A title\n\nText 5\n")):
        assert "".join(part["text"] for part in diff["words"] if part["change"] != change) == text
    assert (await client(DIFF, id=section, **{"from": 5}))["node"]["diff"]["unified"] == ""
    assert (await client(DIFF, id=section, **{"from": 1, "to": 99}))["node"]["diff"] is None


async def test_a_section_gets_an_earlier_version_back_as_a_new_one(client: Client, document: str, section: str) -> None:
    chat = await ensure_chat(client, document, section)
    answer = (await client(REVERT_SECTION, id=section, version=2))["revertSection"]
    assert (
        answer["section"].items()
        >= {
            "version": 6,
            "content": "Text 2",
            "level": 2,
            "changeSummary": "Reverted to version 2",
        }.items()
    )
    assert (await client(REVISIONS, id=section))["section"]["revisions"]["totalCount"] == COUNT
    again = (await client(REVERT_SECTION, id=section, version=2, expectedVersion=6))["revertSection"]
    assert (again["isChanged"], again["section"]["version"]) == (False, 6)
    back = (await client(REVERT_SECTION, id=section, version=5, summary="Better"))["revertSection"]["section"]
    assert (back["content"], back["changeSummary"]) == ("Text 5", "Better")
    conflict = (await client(REVERT_SECTION, id=section, version=1, expectedVersion=6))["revertSection"]
    assert (conflict["__typename"], conflict["currentVersion"]) == ("VersionConflict", 7)
    for version in (0, -1, 8):
        missing = (await client(REVERT_SECTION, id=section, version=version))["revertSection"]
        assert (missing["code"], missing["missingVersion"]) == ("VERSION_NOT_FOUND", version)
    assert await ensure_chat(client, document, section) == chat


async def test_an_earlier_version_of_a_document_has_its_order_and_the_texts_of_that_time(client: Client) -> None:
    document = await import_document(client, headings(3))
    one, two, three = await section_ids(client, document)
    await edit(client, two, {"content": "Before"})
    await asyncio.sleep(0.002)  # SQLite's clock has milliseconds
    await edit_document(client, document, {"title": "Second", "tags": ["x"]}, summary="A new title")
    await asyncio.sleep(0.002)
    await edit(client, two, {"content": "After", "title": "Two"})
    await arrange(client, MOVE, document, sectionId=three, at={"first": True})
    await client(REMOVE_SECTION, docId=document, sectionId=one)
    await create_section(client, document, title="New")
    first = await then(client, document, 1)
    assert (first["title"], first["tags"], first["changeSummary"]) == ("Section 1", [], None)
    assert [edge["node"] for edge in first["sections"]["edges"]] == [
        {"sectionId": one, "version": 1, "title": "Section 1", "content": "Text."},
        {"sectionId": two, "version": 2, "title": "Section 2", "content": "Before"},
        {"sectionId": three, "version": 1, "title": "Section 3", "content": "Text."},
    ]
    assert first["markdown"] == "# Section 1\n\nText.\n\n# Section 2\n\nBefore\n\n# Section 3\n\nText.\n"
    assert await titles(client, document, 2) == ["Section 1", "Two", "Section 3"]
    assert (await then(client, document, 2))["changeSummary"] == "A new title"
    assert await titles(client, document, 3) == ["Section 3", "Section 1", "Two"]
    assert await titles(client, document, 4) == ["Section 3", "Two"]
    assert await titles(client, document, 5) == ["Section 3", "Two", "New"]
    assert (await client(THEN, id=document, version=6))["document"]["revision"] is None
    diff = (await client(DIFF, id=document, **{"from": 1, "to": 2}))["node"]["diff"]["unified"]
    assert "-# Section 2\n+# Two\n \n-Before\n+After\n" in diff


async def test_an_earlier_order_is_read_page_by_page(client: Client) -> None:
    document = await import_document(client, headings(5))
    await arrange(client, MOVE, document, sectionId=(await section_ids(client, document))[0], at={"last": True})

    async def read(**page: Any) -> Any:
        return (await then(client, document, 1, **page))["sections"]

    for pages in (await pages_forward(read, 2), await pages_backward(read, 2)):
        assert [each["title"] for each in nodes(pages)] == [f"Section {n}" for n in range(1, 6)]
        assert {page["totalCount"] for page in pages} == {5}


async def test_a_document_gets_an_earlier_arrangement_back_as_a_new_version(client: Client, database: Database) -> None:
    document = await import_document(client, headings(5))
    sections = await section_ids(client, document)
    one, two, three, four, five = sections
    chat = await ensure_chat(client, document, one)
    await edit_document(client, document, {"title": "Second", "tags": ["x"]})
    for moved in (five, four):
        await arrange(client, MOVE, document, sectionId=moved, at={"first": True})
    for removed in (one, three):
        await client(REMOVE_SECTION, docId=document, sectionId=removed)
    new = await create_section(client, document, title="New")
    await client("mutation ($id: ID!) { trashSection(sectionId: $id) { __typename } }", id=three)
    answer = (await client(REVERT_DOCUMENT, id=document, version=1))["revertDocument"]
    assert answer["missingCount"] == 1
    assert answer["document"] == {
        "version": 8,
        "title": "Section 1",
        "tags": [],
        "changeSummary": "Reverted to version 1",
    }
    assert await section_ids(client, document) == [one, two, four, five]
    assert await ensure_chat(client, document, one) == chat
    assert await titles(client, document, 7) == ["Section 4", "Section 5", "Section 2", "New"]
    again = (await client(REVERT_DOCUMENT, id=document, version=1))["revertDocument"]
    assert (again["isChanged"], again["document"]["version"]) == (False, 8)
    back = (await client(REVERT_DOCUMENT, id=document, version=7, expectedVersion=8))["revertDocument"]
    assert (back["__typename"], back["document"]["title"]) == ("RevertDocumentSuccess", "Second")
    assert await section_ids(client, document) == [four, five, two, new]
    for version, expected, code in ((99, None, "VERSION_NOT_FOUND"), (1, 8, "VERSION_CONFLICT")):
        refused = await client(REVERT_DOCUMENT, id=document, version=version, expectedVersion=expected)
        assert refused["revertDocument"]["code"] == code
    assert await violations(database) == []


async def test_a_section_in_the_trash_stays_in_its_place_when_its_document_is_reverted(client: Client) -> None:
    document = await import_document(client, headings(3))
    one, two, three = await section_ids(client, document)
    await arrange(client, MOVE, document, sectionId=one, at={"last": True})
    await client("mutation ($id: ID!) { trashSection(sectionId: $id) { __typename } }", id=two)
    await client(REVERT_DOCUMENT, id=document, version=1)
    await client("mutation ($id: ID!) { restoreSection(sectionId: $id) { __typename } }", id=two)
    assert set(await section_ids(client, document)) == {one, two, three}


async def test_a_revert_brings_no_section_back_that_one_may_only_read(
    serve: Serve, client: Client, database: Database
) -> None:
    """Otherwise an editor of the document could publish what was taken into another one."""
    document, other = await create_document(client), await create_document(client)
    section = await create_section(client, document)
    await arrange(client, PLACE, other, sectionId=section)
    await client(REMOVE_SECTION, docId=document, sectionId=section)
    await set_access(client, other, "RESTRICTED")
    async with serve(Principal("edna", "local", Role.EDITOR)) as edna:
        answer = (await edna(REVERT_DOCUMENT, id=document, version=2))["revertDocument"]
        assert (answer["__typename"], answer["missingCount"]) == ("RevertDocumentSuccess", 1)
        assert await section_ids(edna, document) == []
        assert (await then(edna, document, 2))["sections"]["edges"] == []


async def test_readers_see_no_earlier_versions(serve: Serve, client: Client, document: str, section: str) -> None:
    async with serve(Principal("rita", "local", Role.READER)) as rita:
        found = (await rita(REVISIONS, id=section))["section"]["revisions"]
        assert (found["totalCount"], found["edges"]) == (0, [])
        assert (await rita(REVISION, id=section, version=1))["section"]["revision"] is None
        assert (await rita(DIFF, id=section, **{"from": 1}))["node"]["diff"] is None
        assert (await rita(DIFF, id=document, **{"from": 1}))["node"]["diff"] is None
        assert (await rita(THEN, id=document, version=1))["document"]["revision"] is None
        assert (await rita(REVERT_SECTION, id=section, version=1))["revertSection"]["code"] == "FORBIDDEN"
        assert (await rita(REVERT_DOCUMENT, id=document, version=1))["revertDocument"]["code"] == "FORBIDDEN"
    async with serve(Principal("carl", "local", Role.COMMENTER)) as carl:
        assert (await carl(REVISIONS, id=section))["section"]["revisions"]["totalCount"] == COUNT - 1


async def test_what_is_in_the_trash_is_not_reverted(client: Client, document: str, section: str) -> None:
    await trash(client, document, section)
    assert (await client(REVERT_SECTION, id=section, version=1))["revertSection"]["code"] == "SECTION_NOT_FOUND"
    assert (await client(REVERT_DOCUMENT, id=document, version=1))["revertDocument"]["code"] == "DOCUMENT_NOT_FOUND"


async def test_long_texts_are_compared_in_a_bounded_time() -> None:
    diff = Diff("word " * 200_000, "other word " * 100_000, "a", "b")
    parts = await diff.words()
    assert "".join(part.text for part in parts if part.change != "INSERTED") == diff.before
    assert "".join(part.text for part in parts if part.change != "DELETED") == diff.after
