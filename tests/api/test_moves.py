"""Moves: sections go where their writers say, by name and never by number, and all readers see one order."""

import asyncio
from random import Random
from typing import Any

import pytest

from db import placements, positions, rearranging
from db.connection.database import Database
from db.placements import At, Side
from db.principals import Principal, Role
from tests.api.arranging import COPY, CREATE, MOVE, PLACE, REPLACE, arrange
from tests.api.operations import (
    REMOVE_SECTION,
    create_document,
    create_section,
    edit,
    ensure_chat,
    headings,
    import_document,
    section_edges,
    section_ids,
    trash,
)
from tests.api.test_grants import set_access
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.invariants import violations
from tests.support.thorough import thorough


@pytest.fixture
async def document(client: Client) -> str:
    return await import_document(client, headings(4))


@pytest.fixture
async def sections(client: Client, document: str) -> list[str]:
    return await section_ids(client, document)


async def test_a_section_is_created_where_it_is_wanted(client: Client, document: str, sections: list[str]) -> None:
    one, two, three, four = sections
    ids = {}
    for name, at in {
        "first": {"first": True},
        "last": {"last": True},
        "before": {"before": two},
        "after": {"after": two},
        "bare": {"after": three.removeprefix("sec_")},
    }.items():
        made = await arrange(client, CREATE, document, section={"title": name}, at=at)
        ids[name] = made["section"]["id"]
        assert made["sectionEdge"]["isCopy"] is False
    assert await section_ids(client, document) == [
        *(ids["first"], one, ids["before"], two, ids["after"], three, ids["bare"], four, ids["last"])
    ]


async def test_a_section_is_created_with_all_its_fields(client: Client, document: str) -> None:
    fields = {
        "title": None,
        "level": 3,
        "content": "Text",
        "status": "GENERATED",
        "tags": ["a"],
        "metadata": {"b": 1},
    }
    made = (await arrange(client, CREATE, document, section=fields))["section"]
    assert made.items() >= {**fields, "title": "", "isGenerated": True}.items()


async def test_a_section_moves_and_one_that_is_there_stays(client: Client, document: str, sections: list[str]) -> None:
    one, two, three, four = sections
    version = 1
    for moved, at, order, is_change in [
        (one, {"last": True}, [two, three, four, one], True),
        (one, {"last": True}, [two, three, four, one], False),
        (one, {"after": four}, [two, three, four, one], False),
        (four, {"first": True}, [four, two, three, one], True),
        (two, {"before": one}, [four, three, two, one], True),
        (two, {"before": one}, [four, three, two, one], False),
        (one, {"after": four}, [four, one, three, two], True),
    ]:
        answer = await arrange(client, MOVE, document, sectionId=moved, at=at)
        assert answer["sectionEdge"]["node"]["id"] == moved
        version += is_change
        assert answer["document"]["version"] == version
        assert await section_ids(client, document) == order


async def test_what_is_not_there_is_told_and_nothing_moves(client: Client, document: str, sections: list[str]) -> None:
    elsewhere = await create_section(client, await create_document(client))
    for mutation, arguments in (
        (CREATE, {"section": {"title": "New", "id": "new"}}),
        (PLACE, {"sectionId": elsewhere}),
        (COPY, {"sectionId": sections[0], "id": "new"}),
        (MOVE, {"sectionId": sections[0]}),
    ):
        for neighbour in (elsewhere if mutation != PLACE else "sec_none", "sec_none"):
            refused = await arrange(client, mutation, document, at={"after": neighbour}, **arguments)
            assert (refused["__typename"], refused["sectionId"]) == ("SectionNotInDocument", neighbour)
    assert (await arrange(client, MOVE, document, sectionId=elsewhere, at={"first": True}))["sectionId"] == elsewhere
    itself = await arrange(client, MOVE, document, sectionId=sections[0], at={"after": sections[0]})
    assert itself["violations"] == [{"path": ["at"], "message": "names the section itself"}]
    assert await section_ids(client, document) == sections
    assert (await client('{ node(id: "sec_new") { id } }'))["node"] is None


async def test_a_place_is_named_in_one_way(client: Client, document: str, sections: list[str]) -> None:
    for at in ({}, {"first": True, "last": True}, {"before": None}, {"first": False}, {"first": None}):
        response = await client.result(MOVE, docId=document, sectionId=sections[0], at=at)
        assert response["errors"], at
        assert response["errors"][0]["extensions"]["code"] != "INTERNAL", at
    for literal in ("{}", "{first: true, last: true}", "{before: null}"):
        mutation = f'mutation {{ moveSection(docId: "{document}", sectionId: "a", at: {literal}) {{ __typename }} }}'
        (error,) = (await client.result(mutation))["errors"]
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", error
    assert await section_ids(client, document) == sections


async def test_a_copy_is_a_section_of_its_own(client: Client, document: str, sections: list[str]) -> None:
    one, two, *_ = sections
    await edit(client, two, {"content": "Copied", "tags": ["x"]})
    chat = await ensure_chat(client, document, two)
    made = await arrange(client, COPY, document, sectionId=two, id="copy")
    assert made["section"] == {
        "id": "sec_copy",
        "title": "Section 2",
        "content": "Copied",
        "version": 1,
        "chat": None,
    }
    assert made["sectionEdge"] == {"isCopy": True, "node": {"id": "sec_copy"}}
    assert (await section_ids(client, document))[:3] == [one, two, "sec_copy"], "behind what is copied"
    await edit(client, two, {"content": "Changed"})
    assert await ensure_chat(client, document, "sec_copy") != chat
    again = await arrange(client, COPY, document, sectionId=two, id="copy")
    assert (again["section"]["id"], again["section"]["content"]) == ("sec_copy", "Copied")
    other = await arrange(client, COPY, document, sectionId=one, id="copy")
    assert (other["__typename"], other["takenId"]) == ("IdTaken", "sec_copy")
    elsewhere = await create_document(client)
    await arrange(client, COPY, elsewhere, sectionId=two)
    ((edge),) = await section_edges(client, elsewhere)
    assert edge["node"]["id"] not in sections


async def test_a_section_takes_the_place_of_another(client: Client, document: str, sections: list[str]) -> None:
    one, two, three, four = sections
    chat = await ensure_chat(client, document, two)
    new = await create_section(client, await create_document(client))
    answer = await arrange(client, REPLACE, document, sectionId=two, replacementId=new)
    assert answer["replaced"] == {"id": two, "chat": {"id": chat}}
    assert await section_ids(client, document) == [one, new, three, four]
    back = await arrange(client, REPLACE, document, sectionId=new, replacementId=four)
    assert back["sectionEdge"]["node"]["id"] == four
    assert await section_ids(client, document) == [one, four, three]
    for wrong, kind in ((new, "SectionNotInDocument"), ("sec_none", "SectionNotFound")):
        refused = await arrange(client, REPLACE, document, sectionId=wrong, replacementId=two)
        assert refused["__typename"] == kind
    assert (await arrange(client, REPLACE, document, sectionId=one, replacementId=one))["code"] == "INVALID_INPUT"


async def test_who_only_reads_a_section_copies_it_but_does_not_publish_it(
    serve: Serve, client: Client, document: str, sections: list[str], database: Database
) -> None:
    editor = Principal("edna", "local", Role.EDITOR)
    restricted = await create_document(client)
    hidden = await create_section(client, restricted)
    await set_access(client, restricted, "RESTRICTED")
    async with serve(editor) as edna:
        calls: list[tuple[str, dict[str, Any]]] = [
            (PLACE, {"sectionId": hidden}),
            (COPY, {"sectionId": hidden}),
            (REPLACE, {"sectionId": sections[0], "replacementId": hidden}),
        ]
        for mutation, arguments in calls:
            refused = await arrange(edna, mutation, document, **arguments)
            assert refused["__typename"] == "SectionNotFound"
    async with serve(Principal("rita", "local", Role.READER)) as rita:
        calls = [
            (COPY, {"sectionId": sections[0]}),
            (MOVE, {"sectionId": sections[0], "at": {"last": True}}),
            (REPLACE, {"sectionId": sections[0], "replacementId": sections[1]}),
        ]
        for mutation, arguments in calls:
            assert (await arrange(rita, mutation, document, **arguments))["__typename"] == "Forbidden"
    assert await section_ids(client, document) == sections


async def test_what_is_in_the_trash_is_not_arranged(client: Client, document: str, sections: list[str]) -> None:
    await trash(client, await create_document(client), sections[0])
    for mutation, arguments in ((MOVE, {"at": {"last": True}}), (COPY, {})):
        refused = await arrange(client, mutation, document, sectionId=sections[0], **arguments)
        assert refused["__typename"] == "SectionNotFound"


@pytest.mark.slow
async def test_writers_at_once_agree_on_one_order_and_lose_nothing(client: Client, database: Database) -> None:
    """Shows: 32 writers insert, move and remove; every section that should be there is there once."""
    document = await import_document(client, headings(20))
    sections = await section_ids(client, document)
    chats = {section: await ensure_chat(client, document, section) for section in sections[:4]}
    removed, made = sections[4:8], []

    async def write(number: int) -> None:
        random = Random(number)  # noqa: S311 - no secret
        kind = number % 4
        if kind == 0:
            answer = await arrange(client, CREATE, document, section={"title": "New"}, at={"after": sections[0]})
            made.append(answer["section"]["id"])
        elif kind == 3 and number // 4 < len(removed):
            await client(REMOVE_SECTION, docId=document, sectionId=removed[number // 4])
        else:
            moved, beside = random.sample(sections[:4] + sections[8:], 2)
            answer = await arrange(
                client, MOVE, document, sectionId=moved, at={random.choice(["before", "after"]): beside}
            )
            assert answer["__typename"] == "MoveSectionSuccess", answer
            assert await ensure_chat(client, document, sections[0]) == chats[sections[0]]

    await asyncio.gather(*(write(number) for number in range(32)))
    found = await section_ids(client, document)
    assert len(found) == len(set(found))
    assert set(found) == (set(sections) - set(removed)) | set(made)
    assert found == [edge["node"]["id"] for edge in sorted(await section_edges(client, document), key=_place)]
    assert {section: await ensure_chat(client, document, section) for section in chats} == chats
    assert await violations(database) == []


def _place(edge: dict[str, Any]) -> tuple[bytes, str]:
    return edge["position"].encode(), edge["node"]["id"]


@pytest.mark.slow
@pytest.mark.parametrize("longest", [positions.LONGEST_POSITION, 6])
async def test_moves_keep_the_order_of_a_plain_list_and_positions_short(
    database: Database, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a smaller limit, all sections get new positions every few moves."""
    for module in (placements, rearranging):
        monkeypatch.setattr(module, "LONGEST_POSITION", longest)
    document = await factories.document(database)
    order = [(await factories.section(database, id=f"sec_{number}")).id for number in range(8)]
    random = Random(longest)  # noqa: S311 - no secret
    async with database.begin() as session:
        arrangement = await factories.arrangement(session, document)
        for section in order:
            await arrangement.place(section)
        for _ in range(50_000 if thorough() else 300):
            moved, beside = random.sample(order, 2) if random.random() < 0.5 else order[-1:-3:-1]
            side = random.choice(list(Side))
            is_end = side in (Side.FIRST, Side.LAST)
            placed = await arrangement.placement(moved)
            assert placed
            stored = await arrangement.move(placed, At(side, None if is_end else beside))
            assert stored
            assert len(stored.position) <= longest
            order.remove(moved)
            place = {Side.FIRST: 0, Side.LAST: len(order)}.get(side, order.index(beside) + (side is Side.AFTER))
            order.insert(place, moved)
            assert await arrangement.order() == order


async def test_a_section_tells_where_it_stands_to_those_who_may_know(
    serve: Serve, client: Client, document: str, sections: list[str]
) -> None:
    query = """
    query ($id: ID!) {
      section(id: $id) {
        isShared placements(first: 5) { totalCount edges { node { document { id } section { id } position isCopy } } }
      }
    }
    """
    other = await create_document(client)
    await arrange(client, PLACE, other, sectionId=sections[0])
    await set_access(client, other, "RESTRICTED")
    async with serve(Principal("rita", "local", Role.READER)) as rita:
        for asking, documents in ((client, {document, other}), (rita, {document})):
            found = (await asking(query, id=sections[0]))["section"]
            assert found["isShared"] is (len(documents) > 1)
            assert found["placements"]["totalCount"] == len(documents)
            nodes = [edge["node"] for edge in found["placements"]["edges"]]
            assert {node["document"]["id"] for node in nodes} == documents
            assert all(node["section"] == {"id": sections[0]} and not node["isCopy"] for node in nodes)
