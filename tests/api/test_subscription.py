"""`sectionChatOpened`, as the schema runs it; how it travels is for the tests of the transports."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from unittest.mock import ANY

import pytest

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.store import Store
from engine import execution
from engine.complexity import Limits
from engine.execution import ExecutionLimits
from engine.operation_cache import OperationCache
from engine.prepared_operation import Refused
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.transports.errors import describe
from resolvers.context import Context
from schema.build import graphql_schema
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


def subscribed(doc_id: str, context: Context) -> AbstractAsyncContextManager[AsyncGenerator[execution.Result, None]]:
    operation = OperationCache(graphql_schema(), Limits()).find(OPENED)
    return execution.subscribe(
        operation, {"docId": doc_id}, lambda _selected: context, ExecutionLimits(10, describe=describe)
    )


async def until_subscribed(context: Context) -> None:
    while not context.chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.005)


async def test_a_chat_is_told_with_all_that_can_be_asked_of_it(database: Database, context: Context) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    async with subscribed(document.id, context) as results:
        waiting = asyncio.ensure_future(anext(results))
        await until_subscribed(context)
        chat = await chats.ensure_section_chat(context.store, document.id, section.id)
        async with asyncio.timeout(10):
            result = await waiting
    assert result.errors == ()
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
    assert context.chat_feed.subscribers == 0


async def test_a_subscription_that_is_cancelled_is_forgotten(database: Database, context: Context) -> None:
    document = await factories.document(database)
    async with subscribed(document.id, context) as results:
        waiting = asyncio.ensure_future(anext(results))
        await until_subscribed(context)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert context.chat_feed.subscribers == 0


async def test_a_document_that_is_not_there_is_refused_before_anything_is_told(context: Context) -> None:
    with pytest.raises(Refused) as refusal:
        async with subscribed("doc_none", context):
            pass
    (error,) = refusal.value.errors
    assert (error.message, error.path) == ("Document not found", ["sectionChatOpened"])
