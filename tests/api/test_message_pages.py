"""The messages of a chat, page by page from either end, of one chat and of many at once."""

from typing import Any

import pytest

from tests.api.operations import (
    Connection,
    create_document,
    create_section,
    ensure_chat,
    nodes,
    pages_backward,
    pages_forward,
    post_message,
)
from tests.support.client import Client

MESSAGES = """
query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  chatSession(id: $id) {
    messages(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { seq content } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""

MESSAGES_OF_MANY = """
{
  documents {
    edges { node { sections { edges { node { chat {
      id
      messages(first: 3) { edges { node { content } } pageInfo { hasNextPage hasPreviousPage } }
      newest: messages(last: 2) { edges { node { content } } pageInfo { hasNextPage hasPreviousPage } }
    } } } } } }
  }
}
"""


async def read(client: Client, chat: str, **arguments: Any) -> Connection:
    page: Connection = (await client(MESSAGES, id=chat, **arguments))["chatSession"]["messages"]
    return page


def numbers(*pages: Connection) -> list[int]:
    return [message["seq"] for message in nodes(list(pages))]


def more(page: Connection) -> tuple[bool, bool]:
    """Tell whether there is more before a page, and behind it."""
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


async def chat_of(client: Client, document: str, count: int) -> str:
    chat = await ensure_chat(client, document, await create_section(client, document))
    for number in range(1, count + 1):
        await post_message(client, chat, f"{chat} {number}")
    return chat


@pytest.fixture
async def chat(client: Client) -> str:
    return await chat_of(client, await create_document(client), 16)


@pytest.fixture
async def cursors(client: Client, chat: str) -> dict[int, str]:
    """Give the cursor of each message."""
    page = await read(client, chat, first=100)
    return {edge["node"]["seq"]: edge["cursor"] for edge in page["edges"]}


async def test_pages_of_seven_give_each_message_exactly_once_from_either_end(client: Client, chat: str) -> None:
    forward = await pages_forward(lambda **arguments: read(client, chat, **arguments), 7)
    assert [len(page["edges"]) for page in forward] == [7, 7, 2]
    assert numbers(*forward) == list(range(1, 17))
    backward = await pages_backward(lambda **arguments: read(client, chat, **arguments), 7)
    assert [len(page["edges"]) for page in backward] == [2, 7, 7]
    assert numbers(*backward) == list(range(1, 17))


async def test_a_page_is_the_newest_twenty_unless_told_otherwise(client: Client) -> None:
    chat = await chat_of(client, await create_document(client), 21)
    page = await read(client, chat)
    assert (numbers(page), more(page)) == (list(range(2, 22)), (True, False))
    after = await read(client, chat, after=page["edges"][0]["cursor"])
    assert numbers(after) == list(range(3, 22))


async def test_first_with_before_and_last_with_after_stay_within(
    client: Client, chat: str, cursors: dict[int, str]
) -> None:
    page = await read(client, chat, first=3, before=cursors[10])
    assert (numbers(page), more(page)) == ([1, 2, 3], (False, True))
    page = await read(client, chat, first=3, before=cursors[3])
    assert (numbers(page), more(page)) == ([1, 2], (False, True))
    page = await read(client, chat, first=3, before=cursors[1])
    assert (numbers(page), more(page)) == ([], (False, True))
    page = await read(client, chat, last=3, after=cursors[10])
    assert (numbers(page), more(page)) == ([14, 15, 16], (True, False))
    page = await read(client, chat, last=3, after=cursors[14])
    assert (numbers(page), more(page)) == ([15, 16], (True, False))
    page = await read(client, chat, last=3, after=cursors[16])
    assert (numbers(page), more(page)) == ([], (True, False))


async def test_a_page_between_two_cursors_holds_neither(client: Client, chat: str, cursors: dict[int, str]) -> None:
    page = await read(client, chat, first=10, after=cursors[4], before=cursors[8])
    assert (numbers(page), more(page)) == ([5, 6, 7], (True, True))
    page = await read(client, chat, last=2, after=cursors[4], before=cursors[8])
    assert (numbers(page), more(page)) == ([6, 7], (True, True))
    page = await read(client, chat, first=2, after=cursors[8], before=cursors[4])
    assert numbers(page) == []


async def test_a_cursor_of_another_chat_means_the_same_number(client: Client, cursors: dict[int, str]) -> None:
    other = await chat_of(client, await create_document(client), 2)
    assert numbers(await read(client, other, after=cursors[1])) == [2]
    assert numbers(await read(client, other, after=cursors[16])) == []


async def test_a_chat_without_messages_has_empty_pages(client: Client) -> None:
    chat = await chat_of(client, await create_document(client), 0)
    empty = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert await read(client, chat, first=7) == {"edges": [], "pageInfo": empty}
    assert await read(client, chat, last=7) == {"edges": [], "pageInfo": empty}


async def test_a_page_of_none_tells_whether_there_are_any(client: Client) -> None:
    chat = await chat_of(client, await create_document(client), 1)
    page = await read(client, chat, first=0)
    assert (numbers(page), more(page)) == ([], (False, True))
    page = await read(client, chat, last=0)
    assert (numbers(page), more(page)) == ([], (True, False))


async def test_a_page_that_cannot_be_meant_is_refused(client: Client) -> None:
    chat = await chat_of(client, await create_document(client), 0)
    pages: list[dict[str, Any]] = [
        {"first": -1},
        {"first": 101},
        {"last": -1},
        {"last": 101},
        {"first": 1, "last": 1},
        {"after": "x"},
        {"before": "x"},
    ]
    for arguments in pages:
        result = await client.result(MESSAGES, id=chat, **arguments)
        assert [error["extensions"]["code"] for error in result["errors"]] == ["BAD_USER_INPUT"], arguments
        assert result["data"] == {"chatSession": None}


async def test_the_messages_of_many_chats_are_those_of_each(client: Client) -> None:
    counts = {}
    for document in [await create_document(client) for _ in range(2)]:
        for count in (0, 1, 3, 4):
            counts[await chat_of(client, document, count)] = count
    found = nodes([(await client(MESSAGES_OF_MANY))["documents"]])
    chats = [section["chat"] for document in found for section in nodes([document["sections"]])]
    assert {chat["id"] for chat in chats} == set(counts)
    for chat in chats:
        count = counts[chat["id"]]
        contents = [f"{chat['id']} {number}" for number in range(1, count + 1)]
        assert [message["content"] for message in nodes([chat["messages"]])] == contents[:3]
        assert more(chat["messages"]) == (False, count > 3)
        assert [message["content"] for message in nodes([chat["newest"]])] == contents[-2:]
        assert more(chat["newest"]) == (count > 2, False)
