"""Nodes: anything that has an id, found by it."""

from typing import Any

import pytest

from tests.api.operations import create_document, create_section, ensure_chat, post_message
from tests.support.client import Client

FIELDS = """
__typename
id
... on Document { createdBy { id } }
... on Section { content }
... on ChatSession { messageCount }
... on Message { seq }
"""

NODE = f"query ($id: ID!) {{ node(id: $id) {{ {FIELDS} }} }}"
NODES = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ {FIELDS} }} }}"

ABSENT = ["", "_", "doc_", "doc_missing", "sec_missing", "chat_missing", "msg_missing", "note_1", "missing", "doc_\0"]


async def nodes(client: Client, ids: list[str]) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = (await client(NODES, ids=ids))["nodes"]
    return found


@pytest.fixture
async def four(client: Client) -> list[dict[str, Any]]:
    """Make one of each kind and give what is to be found of it."""
    document = await create_document(client)
    section = await create_section(client, document, content="Text")
    chat = await ensure_chat(client, document, section)
    message = await post_message(client, chat, "Hello")
    return [
        {"__typename": "Document", "id": document, "createdBy": {"id": "user_local"}},
        {"__typename": "Section", "id": section, "content": "Text"},
        {"__typename": "ChatSession", "id": chat, "messageCount": 1},
        {"__typename": "Message", "id": message["id"], "seq": 1},
    ]


async def test_a_node_of_each_kind_is_found(client: Client, four: list[dict[str, Any]]) -> None:
    assert [(await client(NODE, id=kind["id"]))["node"] for kind in four] == four


async def test_nodes_come_in_the_order_of_their_ids(client: Client, four: list[dict[str, Any]]) -> None:
    backwards = four[::-1]
    assert await nodes(client, [kind["id"] for kind in backwards]) == backwards


async def test_a_node_asked_for_twice_comes_twice(client: Client, four: list[dict[str, Any]]) -> None:
    twice = [four[0], four[3], four[0], four[0]]
    assert await nodes(client, [kind["id"] for kind in twice]) == twice


async def test_what_is_not_there_leaves_its_place_empty(client: Client, four: list[dict[str, Any]]) -> None:
    document, section, chat, message = four
    ids = ["doc_missing", document["id"], "sec_missing", section["id"], chat["id"], "x", message["id"]]
    assert await nodes(client, ids) == [None, document, None, section, chat, None, message]


async def test_an_id_that_names_nothing_is_not_found(client: Client, four: list[dict[str, Any]]) -> None:
    for id_ in ABSENT:
        assert (await client(NODE, id=id_))["node"] is None, id_
    assert await nodes(client, ABSENT) == [None] * len(ABSENT)


async def test_an_id_with_the_prefix_of_another_kind_is_not_found(client: Client, four: list[dict[str, Any]]) -> None:
    parts = [kind["id"].split("_", 1) for kind in four]
    crossed = [f"{prefix}_{own}" for prefix, _ in parts for other, own in parts if prefix != other]
    assert len(crossed) == 12
    assert await nodes(client, crossed) == [None] * 12


async def test_no_ids_are_no_nodes(client: Client) -> None:
    assert await nodes(client, []) == []


async def test_a_hundred_nodes_are_found_at_once_and_no_more(client: Client, four: list[dict[str, Any]]) -> None:
    ids = [kind["id"] for kind in four] * 25
    assert await nodes(client, ids) == four * 25
    result = await client.result(NODES, ids=[*ids, "doc_missing"])
    assert result["data"] == {"nodes": None}
    assert [error["extensions"]["code"] for error in result["errors"]] == ["BAD_USER_INPUT"]
