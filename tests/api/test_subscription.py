"""`sectionChatOpened`, as the schema runs it; how it travels is for the tests of the transports."""

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import ANY

import pytest

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from resolvers.context import Context
from schema.build import build_schema
from services import chats
from tests.support import factories

OPENED = """
subscription Opened($docId: ID!) {
  sectionChatOpened(docId: $docId) {
    at
    actor { id }
    chat { id ensured section { title } document { id } messageCount }
  }
}
"""


@pytest.fixture
async def context(database: Database) -> AsyncIterator[Context]:
    chat_feed = ChatFeed(database, 0.02)
    yield Context(LOCAL_OWNER, Store(database, LOCAL_OWNER), chat_feed)
    await chat_feed.close()


async def test_a_chat_is_told_with_all_that_can_be_asked_of_it(database: Database, context: Context) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    results = await build_schema().subscribe(OPENED, {"docId": document.id}, context_value=context)
    waiting = asyncio.ensure_future(anext(results))
    while not context.chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.005)
    chat = await chats.ensure_section_chat(context.store, document.id, section.id)
    async with asyncio.timeout(10):
        result = await waiting
    assert result.errors is None
    assert result.data == {
        "sectionChatOpened": {
            "at": ANY,
            "actor": {"id": "user_local"},
            "chat": {
                "id": getattr(chat, "id", None),
                "ensured": None,
                "section": {"title": section.title},
                "document": {"id": document.id},
                "messageCount": 0,
            },
        }
    }
    await results.aclose()
    assert context.chat_feed.subscribers == 0


async def test_a_subscription_that_is_cancelled_is_forgotten(database: Database, context: Context) -> None:
    document = await factories.document(database)
    results = await build_schema().subscribe(OPENED, {"docId": document.id}, context_value=context)
    waiting = asyncio.ensure_future(anext(results))
    while not context.chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.005)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert context.chat_feed.subscribers == 0


async def test_a_document_that_is_not_there_is_refused_before_anything_is_told(context: Context) -> None:
    results = await build_schema().subscribe(OPENED, {"docId": "doc_none"}, context_value=context)
    answers = [result async for result in results]
    assert [[error.message for error in answer.errors or ()] for answer in answers] == [["Document not found"]]
    assert [error.path for answer in answers for error in answer.errors or ()] == [["sectionChatOpened"]]
    assert [answer.data for answer in answers] == [None]
