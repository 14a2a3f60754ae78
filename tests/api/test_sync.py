"""Sync: an editor sends what its document looks like, and the chats stay with its sections."""

import asyncio
from random import Random
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Principal, Role
from db.rearranging import longest_increasing
from services import limits
from tests.api.arranging import PLACE, arrange
from tests.api.operations import (
    REMOVE_SECTION,
    create_document,
    create_section,
    edit,
    ensure_chat,
    section_ids,
    trash,
)
from tests.api.test_grants import set_access
from tests.conftest import Serve
from tests.support.client import Client, Served
from tests.support.counting import counted
from tests.support.invariants import violations

SHOWN = "document { title version sections(first: 500) { edges { node { id title content level status } } } }"

SYNC = """
mutation ($docId: ID!, $title: String, $sections: [SectionInput!]!, $expectedVersion: Int) {
  syncDocument(docId: $docId, title: $title, sections: $sections, expectedVersion: $expectedVersion) {
    __typename
    ... on SyncDocumentSuccess {
      isChanged created updated placed moved removed unchangedCount
      SHOWN
    }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
    ... on VersionConflict { currentVersion }
    ... on IdTaken { takenId }
    ... on Forbidden { subjectId }
  }
}
""".replace("SHOWN", SHOWN)

CREATE_AND_SYNC = """
mutation ($docId: ID!, $title: String!, $sections: [SectionInput!]!) {
  createDocument(id: $docId, title: $title) { __typename }
  syncDocument(docId: $docId, title: $title, sections: $sections) {
    __typename ... on SyncDocumentSuccess { isChanged document { id title } }
  }
}
"""

DONE = ("created", "updated", "placed", "moved", "removed")


def section(name: str | int, **fields: Any) -> dict[str, Any]:
    """Return a section as an editor sends it."""
    return {"id": f"e:{name}", "title": f"Title {name}", "content": f"Text {name}", **fields}


async def sync(client: Client, document: str, sections: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """Sync a document, and return the answer."""
    answer: dict[str, Any] = (await client(SYNC, docId=document, sections=sections, **arguments))["syncDocument"]
    return answer


def done(answer: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a sync did, with the editor's own ids, without what it did not do."""
    assert answer["__typename"] == "SyncDocumentSuccess", answer
    return {name: [each.removeprefix("sec_e:") for each in answer[name]] for name in DONE if answer[name]}


@pytest.fixture
async def document(client: Client) -> str:
    return await create_document(client)


async def test_an_editor_connects_with_one_request_and_may_send_it_again(client: Client) -> None:
    given = {"docId": "notion:1a/b", "title": "Mine", "sections": [section(1), section(2)]}
    for is_changed in (True, False):
        answer = (await client(CREATE_AND_SYNC, **given))["syncDocument"]
        assert answer == {
            "__typename": "SyncDocumentSuccess",
            "isChanged": is_changed,
            "document": {"id": "doc_notion:1a/b", "title": "Mine"},
        }


async def test_a_document_becomes_what_its_editor_shows(client: Client, document: str, database: Database) -> None:
    first = await sync(client, document, [section(n) for n in range(5)], title="A title")
    assert done(first) == {"created": ["0", "1", "2", "3", "4"]}
    assert (first["document"]["title"], first["document"]["version"]) == ("A title", 2)
    chats = {n: await ensure_chat(client, document, f"e:{n}") for n in range(5)}
    sent = [section(4), section(0, content="Changed"), section("new", level=3), section(2), section(3)]
    second = await sync(client, document, sent)
    assert done(second) == {"created": ["new"], "updated": ["0"], "moved": ["4"], "removed": ["1"]}
    assert (second["unchangedCount"], second["document"]["version"], second["document"]["title"]) == (2, 3, "A title")
    shown = [edge["node"] for edge in second["document"]["sections"]["edges"]]
    assert [each["id"] for each in shown] == [f"sec_e:{n}" for n in (4, 0, "new", 2, 3)]
    assert shown[1]["content"] == "Changed"
    again = await sync(client, document, sent)
    assert (done(again), again["isChanged"], again["unchangedCount"]) == ({}, False, 5)
    assert again["document"]["version"] == 3
    back = await sync(client, document, [section(1), *sent])
    assert done(back) == {"placed": ["1"]}
    assert {n: await ensure_chat(client, document, f"e:{n}") for n in range(5)} == chats
    assert await violations(database) == []


async def test_a_field_that_is_left_out_stays(client: Client, document: str) -> None:
    await sync(client, document, [section(1, level=4, status="GENERATED")])
    answer = await sync(client, document, [{"id": "e:1", "title": "Other"}])
    (edge,) = answer["document"]["sections"]["edges"]
    assert edge["node"] == {
        "id": "sec_e:1",
        "title": "Other",
        "content": "Text 1",
        "level": 4,
        "status": "GENERATED",
    }


async def test_what_was_changed_by_others_is_not_overwritten_unseen(client: Client, document: str) -> None:
    version = (await sync(client, document, [section(1)]))["document"]["version"]
    await create_section(client, document)
    conflict = await sync(client, document, [section(2)], expectedVersion=version)
    assert (conflict["code"], conflict["currentVersion"]) == ("VERSION_CONFLICT", version + 1)
    assert len(await section_ids(client, document)) == 2


async def test_what_cannot_be_is_refused_with_its_place(client: Client, document: str) -> None:
    await sync(client, document, [section(1)])
    for sections, path in (
        ([section(1), section(1)], ["sections", "1", "id"]),
        ([{"title": "Without an id"}], ["sections", "0", "id"]),
        ([section(2), section("a b")], ["sections", "1", "id"]),
        ([section(2), section(3, level=9)], ["sections", "1", "level"]),
        ([section(2), section(1, status="APPROVED")], ["sections", "1", "status"]),
    ):
        refused = await sync(client, document, sections)
        assert [each["path"] for each in refused["violations"]] == [path]
    assert (await sync(client, document, [], title=" "))["violations"][0]["path"] == ["title"]
    assert await section_ids(client, document) == ["sec_e:1"]


async def test_the_number_of_sections_is_limited_as_published(
    client: Client, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IMPORTED_SECTIONS", 2)
    refused = await sync(client, document, [section(n) for n in range(3)])
    assert refused["violations"] == [{"path": ["sections"], "message": "are more than 2"}]
    assert done(await sync(client, document, [section(n) for n in range(2)])) == {"created": ["0", "1"]}


async def test_an_id_in_the_trash_or_out_of_sight_is_taken(serve: Serve, client: Client, document: str) -> None:
    await sync(client, document, [section(1)])
    await trash(client, await create_document(client), "e:1")
    hidden = await create_document(client)
    await sync(client, hidden, [section(2)])
    await set_access(client, hidden, "RESTRICTED")
    assert (await sync(client, document, [section(1)]))["takenId"] == "sec_e:1"
    async with serve(Principal("edna", "local", Role.EDITOR)) as edna:
        assert (await sync(edna, document, [section(2)]))["takenId"] == "sec_e:2"
        assert (await sync(edna, hidden, [section(3)]))["code"] == "DOCUMENT_NOT_FOUND"
    async with serve(Principal("carl", "local", Role.COMMENTER)) as carl:
        assert (await sync(carl, document, []))["code"] == "FORBIDDEN"


async def test_a_section_in_the_trash_keeps_its_place(client: Client, document: str) -> None:
    await sync(client, document, [section(n) for n in range(4)])
    await trash(client, await create_document(client), "e:1")
    await sync(client, document, [section(n) for n in (3, 0, 2)])
    await client('mutation { restoreSection(sectionId: "e:1") { __typename } }')
    assert await section_ids(client, document) == [f"sec_e:{n}" for n in (3, 0, 1, 2)]


async def test_a_shared_section_changes_in_both_documents(client: Client, document: str) -> None:
    other = await create_document(client)
    await sync(client, document, [section(1)])
    assert done(await sync(client, other, [section(1, content="Shared")])) == {"updated": ["1"], "placed": ["1"]}
    assert done(await sync(client, document, [section(1, content="Shared")])) == {}


async def test_ten_or_a_thousand_sections_take_as_many_statements(client: Served) -> None:
    query = SYNC.replace(SHOWN, "")
    taken = []
    for size in (10, 1_000):
        document = await create_document(client)
        first = [{**section(f"{size}-{n}"), "tags": ["a"]} for n in range(size)]
        changed = [{**each, "content": "Changed"} if n % 2 else each for n, each in enumerate(reversed(first[1:]))]
        counts = []
        for sections in (first, first, [*changed, section(f"{size}-new")]):
            with counted(client.database) as statements:
                answer = (await client(query, docId=document, sections=sections))["syncDocument"]
            assert answer["__typename"] == "SyncDocumentSuccess"
            counts.append(len(statements))
        taken.append(counts)
    assert taken[0] == taken[1], taken


@pytest.mark.slow
async def test_editors_at_once_lose_nothing_and_double_nothing(
    client: Client, document: str, database: Database
) -> None:
    """Shows: 32 writers that sync, place and remove; each sync is done whole, and no chat moves to another section."""
    await sync(client, document, [section(n) for n in range(12)])
    chats = {n: await ensure_chat(client, document, f"e:{n}") for n in range(4)}

    async def write(number: int) -> None:
        random = Random(number)  # noqa: S311 - no secret
        if number % 4 == 3:
            await client(REMOVE_SECTION, docId=document, sectionId=f"e:{number % 12}")
            await arrange(client, PLACE, document, sectionId=f"e:{number % 12}")
            return
        order = random.sample(range(12), 12)
        assert done(await sync(client, document, [section(n, content=f"By {number}") for n in order]))

    edits = (edit(client, "e:0", {"tags": [tag]}) for tag in "ab")
    await asyncio.gather(*(write(number) for number in range(32)), *edits)
    found = await section_ids(client, document)
    assert sorted(found) == sorted(f"sec_e:{n}" for n in range(12))
    assert {n: await ensure_chat(client, document, f"e:{n}") for n in range(4)} == chats
    assert await violations(database) == []


def test_as_few_sections_as_possible_move() -> None:
    random = Random(1)  # noqa: S311 - no secret
    for _ in range(300):
        numbers = random.sample(range(8), random.randrange(9))
        found = longest_increasing(numbers)
        kept = [numbers[place] for place in found]
        assert kept == sorted(kept)
        assert list(found) == sorted(found)
        assert len(found) == longest(numbers)


def longest(numbers: list[int]) -> int:
    """Return the length of the longest increasing subsequence, in the plain way."""
    best: list[int] = []
    for place, number in enumerate(numbers):
        best.append(1 + max((best[n] for n in range(place) if numbers[n] < number), default=0))
    return max(best, default=0)
