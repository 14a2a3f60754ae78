"""Messages: posted once each, numbered 1, 2, 3 ..., and kept as they were written."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from db.connection.database import Database
from db.models import Section
from db.principals import Principal, Role
from tests.api.operations import (
    POST_MESSAGE,
    TRASHED,
    arguments,
    create_document,
    create_section,
    ensure_chat,
    post_message,
    unwrapped,
)
from tests.conftest import Serve
from tests.support.client import Client

CHAT = """
query ($id: ID!) {
  chatSession(id: $id) {
    messageCount
    createdAt
    updatedAt
    messages(first: 100) { edges { node { id seq role author { id } content clientId createdAt chat { id } } } }
  }
}
"""


async def answer(client: Client, chat: str, content: str, **given: Any) -> dict[str, Any]:
    return unwrapped(
        (await client(POST_MESSAGE, chatId=chat, content=content, **given))["postMessage"], "postedMessage"
    )


async def state(client: Client, chat: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client(CHAT, id=chat))["chatSession"]
    return found


async def messages(client: Client, chat: str) -> list[dict[str, Any]]:
    return [edge["node"] for edge in (await state(client, chat))["messages"]["edges"]]


@pytest.fixture
async def section(client: Client) -> str:
    return await create_section(client, await create_document(client, id="doc_a"))


@pytest.fixture
async def chat(client: Client, section: str) -> str:
    return await ensure_chat(client, "doc_a", section)


async def test_messages_are_numbered_from_one(client: Client, chat: str) -> None:
    assert (await state(client, chat))["messageCount"] == 0
    posted = [await post_message(client, chat, content) for content in ("One", "Two", "Three")]
    assert [message["seq"] for message in posted] == [1, 2, 3]
    assert [message["chat"]["messageCount"] for message in posted] == [1, 2, 3]
    assert (await state(client, chat))["messageCount"] == 3
    assert [(message["seq"], message["content"]) for message in await messages(client, chat)] == [
        (1, "One"),
        (2, "Two"),
        (3, "Three"),
    ]


async def test_a_message_is_read_back_as_it_was_answered(client: Client, chat: str) -> None:
    posted = await post_message(client, chat, "Hello", clientId="k1")
    assert posted["id"].startswith("msg_")
    assert (posted["role"], posted["author"], posted["clientId"]) == ("USER", {"id": "user_local"}, "k1")
    assert await messages(client, chat) == [{**posted, "chat": {"id": chat}}]


async def test_each_chat_has_numbers_of_its_own(client: Client, chat: str) -> None:
    other = await ensure_chat(client, "doc_a", await create_section(client, "doc_a"))
    numbers = [(await post_message(client, place, "Hello"))["seq"] for place in (chat, other, chat, other)]
    assert numbers == [1, 1, 2, 2]


async def test_the_content_comes_back_byte_for_byte(client: Client, chat: str) -> None:
    contents = [
        "# A *heading*\n\n- a\n- b\n\n```js\nalert(1)\n```\n",
        "<script>alert('&amp;')</script>",
        "👩‍👩‍👧‍👦 e\u0301 \u202e \ufeff",
        "one\r\ntwo\rthree\n",
        "  trailing  \n\n\t ",
        "\u0001\u001f\u007f\u2028",
    ]
    for content in contents:
        assert (await post_message(client, chat, content))["content"] == content
    assert [message["content"] for message in await messages(client, chat)] == contents


async def test_a_message_is_limited_as_published(client: Client, chat: str) -> None:
    assert (await post_message(client, chat, "é" * 100_000))["content"] == "é" * 100_000
    for content in ("é" * 100_001, "", " \n\t ", "a\0b"):
        refused = await answer(client, chat, content)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["content"])
        assert refused["code"] == "INVALID_INPUT"
    assert (await state(client, chat))["messageCount"] == 1


async def test_a_client_id_is_limited_as_published(client: Client, chat: str) -> None:
    assert (await post_message(client, chat, "Hello", clientId="é" * 200))["clientId"] == "é" * 200
    for client_id in ("é" * 201, "", "  ", "a\0b"):
        refused = await answer(client, chat, "Hello", clientId=client_id)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["clientId"])
    assert (await state(client, chat))["messageCount"] == 1


async def test_a_post_moves_the_time_of_its_chat(client: Client, chat: str) -> None:
    times = [(await state(client, chat))["updatedAt"]]
    assert times == [(await state(client, chat))["createdAt"]]
    for _ in range(2):
        await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
        posted = await post_message(client, chat, "Hello")
        times.append((await state(client, chat))["updatedAt"])
        assert posted["chat"]["updatedAt"] == times[-1]
    assert times == sorted(set(times))


async def test_a_post_sent_again_is_the_same_message(client: Client, chat: str) -> None:
    first = await post_message(client, chat, "Hello", clientId="k1")
    updated_at = (await state(client, chat))["updatedAt"]
    await asyncio.sleep(0.002)
    again = await post_message(client, chat, "Hello", clientId="k1")
    assert again == first
    assert (await state(client, chat))["messageCount"] == 1
    assert (await state(client, chat))["updatedAt"] == updated_at
    assert (await post_message(client, chat, "Hello", clientId="k2"))["seq"] == 2


async def test_a_client_id_with_other_text_is_a_conflict(client: Client, chat: str) -> None:
    first = await post_message(client, chat, "Hello", clientId="k1")
    assert await answer(client, chat, "Hello ", clientId="k1") == {
        "__typename": "ClientIdConflict",
        "message": "This client id was used for a message with different text",
        "code": "CLIENT_ID_CONFLICT",
        "chatId": chat,
        "clientId": "k1",
        "messageId": first["id"],
    }
    assert [message["content"] for message in await messages(client, chat)] == ["Hello"]


async def test_posts_without_a_client_id_are_messages_of_their_own(client: Client, chat: str) -> None:
    assert [(await post_message(client, chat, "Hello"))["seq"] for _ in range(3)] == [1, 2, 3]
    assert [message["clientId"] for message in await messages(client, chat)] == [None] * 3


async def test_a_client_id_counts_for_one_author_in_one_chat(client: Client, serve: Serve, chat: str) -> None:
    other = await ensure_chat(client, "doc_a", await create_section(client, "doc_a"))
    first = await post_message(client, chat, "Hello", clientId="k1")
    elsewhere = await post_message(client, other, "Hello", clientId="k1")
    async with serve(Principal("ann", "local", Role.COMMENTER)) as ann:
        anns = await post_message(ann, chat, "Hello", clientId="k1")
        again = await post_message(ann, chat, "Hello", clientId="k1")
    assert (first["seq"], elsewhere["seq"], anns["seq"]) == (1, 1, 2)
    assert len({first["id"], elsewhere["id"], anns["id"]}) == 3
    assert (anns["author"], again["id"]) == ({"id": "user_ann"}, anns["id"])


async def test_a_reader_may_not_post(client: Client, serve: Serve, chat: str) -> None:
    async with serve(Principal("ann", "local", Role.READER)) as ann:
        refused = await answer(ann, chat, "Hello")
        assert (refused["__typename"], refused["code"], refused["subjectId"]) == ("Forbidden", "FORBIDDEN", chat)
        assert (await answer(ann, "chat_missing", "Hello"))["__typename"] == "ChatSessionNotFound"
        assert await messages(ann, chat) == []


async def test_a_chat_that_is_not_there_is_not_found(client: Client, section: str, chat: str) -> None:
    for missing in ("chat_missing", "", "x", section, "doc_a", f"{chat} ", chat.upper(), "chat_\0"):
        refused = await answer(client, missing, "Hello")
        assert (refused["__typename"], refused["code"]) == ("ChatSessionNotFound", "CHAT_SESSION_NOT_FOUND")
        assert refused["chatId"] == missing


async def test_the_chat_of_a_section_in_the_trash_is_back_with_it(
    client: Client, database: Database, section: str, chat: str
) -> None:
    posted = await post_message(client, chat, "Hello", clientId="k1")
    for deleted_at in (TRASHED, None):
        async with database.begin() as session:
            await session.execute(update(Section).where(Section.id == section).values(deleted_at=deleted_at))
        if deleted_at:
            assert (await answer(client, chat, "Hello", clientId="k1"))["code"] == "CHAT_SESSION_NOT_FOUND"
            assert (await client(CHAT, id=chat))["chatSession"] is None
    assert await post_message(client, chat, "Hello", clientId="k1") == posted
    assert (await post_message(client, chat, "Hello"))["seq"] == 2


async def test_posts_sent_thrice_at_once_make_one_message_each(client: Client, chat: str) -> None:
    keys = [f"k{number}" for number in range(10)] * 3
    posted = await asyncio.gather(*(post_message(client, chat, f"Text of {key}", clientId=key) for key in keys))
    by_key: dict[str, set[tuple[str, int]]] = {}
    for key, message in zip(keys, posted, strict=True):
        by_key.setdefault(key, set()).add((message["id"], message["seq"]))
    assert [len(same) for same in by_key.values()] == [1] * 10
    kept = await messages(client, chat)
    assert [message["seq"] for message in kept] == list(range(1, 11))
    assert {(message["id"], message["seq"]) for message in kept} == set().union(*by_key.values())
    assert all(message["content"] == f"Text of {message['clientId']}" for message in kept)
    assert (await state(client, chat))["messageCount"] == 10


async def test_a_client_id_used_for_two_texts_at_once_makes_one_message(client: Client, chat: str) -> None:
    answers = await asyncio.gather(*(answer(client, chat, f"Text {n}", clientId="k1") for n in range(6)))
    names = sorted(result["__typename"] for result in answers)
    assert names == ["ClientIdConflict"] * 5 + ["PostMessageSuccess"]
    (kept,) = await messages(client, chat)
    assert {result.get("messageId", result.get("id")) for result in answers} == {kept["id"]}
