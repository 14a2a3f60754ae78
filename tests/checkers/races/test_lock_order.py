"""The order of locks: whoever takes many rows takes them in one order, so that nobody is thrown out of a deadlock.

PostgreSQL ends a circle after a second by throwing somebody out, who tries again: the answers would be right all the
same, only late. So the collisions themselves are counted.
"""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import event, select, text, update

from db import chats
from db.connection import errors
from db.connection.database import Database
from db.models import Document, Placement, Section
from tests.api.operations import ensure_chat
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.concurrent_callers import many_sections, place, remove, until_waiting
from tests.support.invariants import violations

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ENSURE = """
mutation ($docId: ID!, $sectionIds: [ID!]!) {
  ensureSectionChats(docId: $docId, sectionIds: $sectionIds) {
    ... on EnsureSectionChatsSuccess { results { ensured } }
  }
}
"""


@pytest.fixture(autouse=True)
def nobody_collides(client: Served) -> Iterator[None]:
    collisions: list[str] = []

    def note(context: object) -> None:
        error = context.original_exception  # type: ignore[attr-defined] # of SQLAlchemy's ExceptionContext
        if errors.is_conflict(error):
            collisions.append(str(error))

    for engine in client.database.engines:
        event.listen(engine.sync_engine, "handle_error", note)
    yield
    assert collisions == []


async def trash(client: Client, *documents: Document) -> None:
    for document in documents:
        await client("mutation ($id: ID!) { trashDocument(docId: $id) { __typename } }", id=document.id)


async def purge(client: Client, document: Document) -> str:
    answer = await client("mutation ($id: ID!) { purgeDocument(docId: $id) { __typename } }", id=document.id)
    return str(answer["purgeDocument"]["__typename"])


async def ensure(client: Client, document: Document, section_ids: list[str]) -> list[str]:
    answer = await client(ENSURE, docId=document.id, sectionIds=section_ids)
    return [each["ensured"] for each in answer["ensureSectionChats"]["results"]]


async def two_documents(database: Database, client: Client) -> tuple[Document, Document, list[str]]:
    """Make two documents in which the same two sections stand, in another order."""
    first, second = await factories.document(database), await factories.document(database)
    section_ids = sorted(await many_sections(database, first, 2))
    for section_id in reversed(section_ids):
        await place(client, second.id, section_id)
    async with database.begin() as session:
        await session.execute(text("ANALYZE"))  # small tables are read as they were written, not along an index
    return first, second, section_ids


async def test_two_purges_whose_chats_were_opened_through_each_other(client: Served, database: Database) -> None:
    one, two = await factories.document(database), await factories.document(database)
    (first,), (second,) = await many_sections(database, one, 1), await many_sections(database, two, 1)
    for document, section in ((two, first), (one, second)):
        await place(client, document.id, section)
        await ensure_chat(client, document.id, section)
        await remove(client, document.id, section)
    await trash(client, one, two)
    # Both have taken their chats by the time that they come to the messages.
    async with database.begin() as session:
        await session.execute(text("LOCK TABLE messages IN SHARE MODE"))
        purging = [asyncio.create_task(purge(client, document)) for document in (one, two)]
        await until_waiting(database, 2)
    assert [await each for each in purging] == ["PurgeDocumentSuccess", "PurgeDocumentSuccess"]
    assert await violations(database) == []


async def test_a_bulk_ensure_in_any_order_and_a_purge(client: Served, database: Database) -> None:
    purged, kept, (low, high) = await two_documents(database, client)
    await trash(client, purged)
    async with database.begin() as session:
        placed = (Placement.document_id == kept.id, Placement.section_id == low)
        await session.execute(select(Placement.section_id).where(*placed).with_for_update())
        ensuring = asyncio.create_task(ensure(client, kept, [high, low]))
        await until_waiting(database)
        purging = asyncio.create_task(purge(client, purged))
        await asyncio.sleep(0.2)
    assert await ensuring == ["CREATED", "CREATED"]
    assert await purging == "PurgeDocumentSuccess"
    assert await violations(database) == []


async def test_a_bulk_ensure_that_opens_and_points_and_a_purge(
    client: Served, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purged, kept, (low, high) = await two_documents(database, client)
    await ensure_chat(client, kept.id, low)
    async with database.begin() as session:
        await session.execute(update(Section).where(Section.id == low).values(chat_session_id=None))
    await trash(client, purged)
    opened, go_on, point = asyncio.Event(), asyncio.Event(), chats._point

    async def later(*arguments: object) -> object:
        opened.set()
        await go_on.wait()
        return await point(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(chats, "_point", later)
    ensuring = asyncio.create_task(ensure(client, kept, [high, low]))
    await opened.wait()
    purging = asyncio.create_task(purge(client, purged))
    await until_waiting(database)
    go_on.set()
    assert await ensuring == ["CREATED", "REPAIRED"]
    assert await purging == "PurgeDocumentSuccess"
    assert await violations(database) == []


async def test_two_bulk_ensures_of_the_same_sections_the_other_way_round(client: Served, database: Database) -> None:
    one, two, section_ids = await two_documents(database, client)
    async with database.begin() as session:
        # Whoever comes first has one of them by then.
        await session.execute(text("LOCK TABLE chat_sessions IN SHARE MODE"))
        ensuring = [
            asyncio.create_task(ensure(client, document, order))
            for document, order in ((one, section_ids), (two, section_ids[::-1]))
        ]
        await until_waiting(database, 2)
    answers = [await each for each in ensuring]
    assert sorted(answer for each in answers for answer in each) == ["CREATED"] * 2 + ["FOUND"] * 2
    async with database.begin() as session:
        await session.execute(update(Section).values(chat_session_id=None))
    async with database.begin() as session:
        await session.execute(select(Section.id).where(Section.id == section_ids[0]).with_for_update())
        pointing = [
            asyncio.create_task(ensure(client, document, order))
            for document, order in ((one, section_ids), (two, section_ids[::-1]))
        ]
        await until_waiting(database, 2)
    answers = [await each for each in pointing]
    assert sorted(answer for each in answers for answer in each) == ["FOUND"] * 2 + ["REPAIRED"] * 2
    assert await violations(database) == []
