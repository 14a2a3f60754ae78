"""Loaders: one statement for many keys, each answer in its place, and nothing remembered across a write."""

import asyncio

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection.database import Database
from db.ids import is_findable
from db.models import Document, Message, Section
from db.reading.paging import Connection, Page
from db.store import Store, Transaction
from marginalia.authentication.local import LOCAL_OWNER
from tests.support import factories
from tests.support.counting import counted


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, LOCAL_OWNER)


async def retitle(session: AsyncSession) -> None:
    await session.execute(update(Document).values(title="Changed"))


async def test_many_keys_take_one_statement_and_keep_their_order(database: Database, store: Store) -> None:
    ids = [(await factories.document(database)).id for _ in range(5)]
    asked = [ids[3], "doc_missing", ids[0], ids[4], "", ids[1], "doc_\0", ids[0]]
    with counted(database) as statements:
        found = await asyncio.gather(*(store.load.documents.load(id_) for id_ in asked))
    assert [row.id if row else None for row in found] == [ids[3], None, ids[0], ids[4], None, ids[1], None, ids[0]]
    assert len(statements) == 1


async def test_each_kind_is_found_by_its_id(database: Database, store: Store) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    chat = await factories.chat(database, section)
    message = Message(
        workspace_id="local", id="msg_a", chat_id=chat.id, seq=1, role="USER", author="ann", content="Hello"
    )
    await factories.add(database, message)
    rows = await asyncio.gather(
        store.load.documents.load(document.id),
        store.load.sections.load(section.id),
        store.load.chats.load(chat.id),
        store.load.chats_by_section.load(section.id),
        store.load.messages.load("msg_a"),
    )
    assert [row.id if row else None for row in rows] == [document.id, section.id, chat.id, chat.id, "msg_a"]


async def test_what_was_read_is_remembered(database: Database, store: Store) -> None:
    document = await factories.document(database)
    assert await store.load.documents.load("doc_missing") is None
    first = await store.load.documents.load(document.id)
    with counted(database) as statements:
        assert await store.load.documents.load(document.id) is first
        assert await store.load.documents.load("doc_missing") is None
    assert statements == []


async def test_a_write_makes_every_loader_forget(database: Database, store: Store) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    page = Page(5)

    async def read() -> list[str | None]:
        by_id = await store.load.documents.load(document.id)
        anchor = await store.anchor(document.id, section.id)
        of_section = await store.load.pages_of_documents.load((section.id, page))
        assert by_id is not None
        assert anchor.document is not None
        return [by_id.title, anchor.document.title, of_section.edges[0].node.title]

    assert await read() == ["A document"] * 3
    await store.transact(lambda transaction: retitle(transaction.session))
    assert await read() == ["Changed"] * 3


async def test_a_write_that_fails_makes_forget_too(database: Database, store: Store) -> None:
    document = await factories.document(database)
    assert await store.load.documents.load(document.id) is not None
    async with database.begin() as session:
        await retitle(session)

    async def fail(_transaction: Transaction) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(fail)
    again = await store.load.documents.load(document.id)
    assert again is not None
    assert again.title == "Changed"


async def test_each_operation_reads_for_itself(database: Database, store: Store) -> None:
    document = await factories.document(database)
    before = await store.load.documents.load(document.id)
    async with database.begin() as session:
        await retitle(session)
    after = await Store(database, LOCAL_OWNER).load.documents.load(document.id)
    assert [row.title for row in (before, after) if row] == ["A document", "Changed"]


async def test_pages_of_one_size_take_one_statement(database: Database, store: Store) -> None:
    documents = [await factories.document(database) for _ in range(4)]
    for document in documents:
        await factories.section(database, document)
    keys = [(document.id, Page(size)) for document in documents for size in (1, 2)]
    with counted(database) as statements:
        pages = await asyncio.gather(*(store.load.pages_of_sections.load(key) for key in keys))
    assert len(statements) == 2
    assert [len(page.edges) for page in pages] == [1] * 8


async def test_a_statement_is_the_same_for_any_number_of_keys(database: Database) -> None:
    texts = set()
    for count in (2, 7):
        store = Store(database, LOCAL_OWNER)
        with counted(database) as statements:
            await store.load.sections.load_many([f"sec_{number}" for number in range(count)])
            await store.load.pages_of_messages.load_many([(f"chat_{number}", Page(1)) for number in range(count)])
        texts.add(tuple(statements))
    assert [len(statements) for statements in texts] == [2]


@pytest.mark.slow
async def test_a_loader_takes_more_keys_than_a_statement_takes_parameters(database: Database, store: Store) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    many = [*(f"sec_{number}" for number in range(32_767)), section.id]
    rows = [row for row in await store.load.sections.load_many(many) if isinstance(row, Section)]
    assert [row.id for row in rows] == [section.id]
    pages = await store.load.pages_of_documents.load_many([(id_, Page(1)) for id_ in many])
    assert [edge.node.id for page in pages if isinstance(page, Connection) for edge in page.edges] == [document.id]


def test_an_id_that_no_row_can_have_is_not_asked_for() -> None:
    assert is_findable("doc_a")
    assert not any(map(is_findable, ["", "\0", "doc_\0", "\ud800", "x" * 300]))
