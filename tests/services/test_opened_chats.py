"""Chats as they are opened: who may follow which document."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from db.anchors import AnchorLoader
from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.models import ChatSession
from db.principals import Principal, Role
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import chats
from services.outcomes import BadArgument, ErrorCode
from tests.edge.outages import execute
from tests.support import factories
from tests.support.counting import counted

STRANGER = Principal("stranger", "theirs", Role.OWNER)


@pytest.fixture
async def chat_feed(database: Database) -> AsyncIterator[ChatFeed]:
    opened = ChatFeed(database, 0.02)
    yield opened
    await opened.close()


async def test_the_chat_that_an_ensure_opens_is_told_and_the_one_it_finds_is_not(
    database: Database, chat_feed: ChatFeed
) -> None:
    document = await factories.document(database)
    sections = [await factories.section(database, document) for _ in range(2)]
    followed = await chats.opened_chats(Store(database, LOCAL_OWNER), chat_feed, document.id)
    ensured = [
        await chats.ensure_section_chat(Store(database, LOCAL_OWNER), document.id, section.id)
        for section in (sections[0], sections[0], sections[1])
    ]
    async with asyncio.timeout(10):
        told = [await anext(followed) for _ in sections]
    assert [chat.id for chat in ensured if isinstance(chat, ChatSession)] == [told[0].id, told[0].id, told[1].id]


@pytest.mark.parametrize("document_id", ["doc_theirs", "doc_none", "", "doc_\0"])
async def test_a_document_that_cannot_be_seen_cannot_be_followed(
    database: Database, chat_feed: ChatFeed, document_id: str
) -> None:
    await factories.workspace(database, "theirs")
    await factories.document(database, workspace_id="theirs", id="doc_theirs")
    with pytest.raises(BadArgument, match="Document not found") as refused:
        await chats.opened_chats(Store(database, LOCAL_OWNER), chat_feed, document_id)
    assert refused.value.code is ErrorCode.DOCUMENT_NOT_FOUND
    assert chat_feed.subscribers == 0


async def test_what_was_told_is_shown_as_it_may_be_seen_by_then(database: Database) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    told = await factories.chat(database, section)
    seen = await chats.opened_chat(Store(database, LOCAL_OWNER), document.id, told)
    assert (seen and seen.chat.id) == told.id

    await factories.workspace(database, "theirs")
    twin = await factories.document(database, workspace_id="theirs", id=document.id)
    await factories.chat(database, await factories.section(database, twin, id=section.id))
    assert await chats.opened_chat(Store(database, STRANGER), document.id, told) is None

    for table in ("documents", "sections"):
        hide, show = (f"UPDATE {table} SET deleted_at = {at}" for at in ("created_at", "NULL"))  # noqa: S608 - our own
        await execute(database, hide)
        assert await chats.opened_chat(Store(database, LOCAL_OWNER), document.id, told) is None
        await execute(database, show)
    assert await chats.opened_chat(Store(database, LOCAL_OWNER), document.id, told)


async def test_all_who_are_shown_a_chat_at_once_share_the_statement(database: Database) -> None:
    document = await factories.document(database)
    told = await factories.chat(database, await factories.section(database, document), document_id=document.id)
    anchors = AnchorLoader(database)

    async def show() -> tuple[object, ...]:
        store = Store(database, LOCAL_OWNER, anchors)
        event = await chats.opened_chat(store, document.id, told)
        assert event is not None
        chat = event.chat
        section = await store.load.sections.load(chat.section_id)
        through = await store.load.documents.load(str(chat.document_id))
        return chat.id, section and section.id, through and through.id

    with counted(database) as statements:
        shown = await asyncio.gather(*(show() for _ in range(100)))
    assert set(shown) == {(told.id, told.section_id, document.id)}
    assert len(statements) == 1
