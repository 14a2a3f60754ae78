"""The documents of a workspace, newest first and page by page."""

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from db.connection.database import Database
from db.models import Document
from db.reading.cursors import Key, encode
from tests.api.operations import (
    DOCUMENTS,
    TRASHED,
    Connection,
    create_document,
    create_section,
    nodes,
    pages_forward,
    section_edges,
)
from tests.support import factories
from tests.support.client import Client


async def read(client: Client, **arguments: Any) -> Connection:
    page: Connection = (await client(DOCUMENTS, **arguments))["documents"]
    return page


async def refusal(client: Client, **arguments: Any) -> str:
    """Return the code of the one error that an unacceptable page is answered with."""
    result = await client.result(DOCUMENTS, **arguments)
    assert result["data"] == {"documents": None}
    (error,) = result["errors"]
    return str(error["extensions"]["code"])


async def document_made_at(database: Database, moment: datetime) -> str:
    return (await factories.document(database, created_at=moment)).id


async def test_documents_are_listed_newest_first(client: Client) -> None:
    made = []
    for number in range(3):
        made.append(await create_document(client, f"Document {number}"))
        await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
    page = await read(client)
    assert [document["id"] for document in nodes([page])] == made[::-1]
    assert page["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": page["edges"][0]["cursor"],
        "endCursor": page["edges"][2]["cursor"],
    }


async def test_a_workspace_without_documents_has_an_empty_page(client: Client) -> None:
    assert await read(client) == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


async def test_pages_of_seven_give_each_document_exactly_once(client: Client, database: Database) -> None:
    made: list[str] = []
    for number in range(22):
        made.insert(0, await document_made_at(database, datetime(2026, 1, 1, 12, 0, 0, number, UTC)))
        if number < 19:
            continue
        # Of 20, of 21, which are three full pages, and of 22.
        pages = await pages_forward(lambda **arguments: read(client, **arguments), 7)
        assert [document["id"] for document in nodes(pages)] == made
        assert len(pages) == math.ceil(len(made) / 7)


async def test_documents_made_at_the_same_moment_are_listed_once_each(client: Client, database: Database) -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    made = {await document_made_at(database, moment) for _ in range(16)}
    pages = await pages_forward(lambda **arguments: read(client, **arguments), 3)
    listed = [document["id"] for document in nodes(pages)]
    assert len(listed) == 16
    assert set(listed) == made
    assert len({edge["cursor"] for page in pages for edge in page["edges"]}) == 16


async def test_a_page_is_twenty_documents_unless_told_otherwise(client: Client, database: Database) -> None:
    for _ in range(21):
        await factories.document(database)
    assert len((await read(client))["edges"]) == 20
    assert len((await read(client, first=None))["edges"]) == 20
    assert len((await read(client, first=100))["edges"]) == 21


async def test_a_page_of_none_tells_whether_there_are_any(client: Client) -> None:
    assert (await read(client, first=0))["pageInfo"]["hasNextPage"] is False
    await create_document(client)
    page = await read(client, first=0)
    assert page["edges"] == []
    assert page["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_a_page_goes_on_where_a_document_has_gone_or_come_since(client: Client, database: Database) -> None:
    old, middle, new = [await document_made_at(database, datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2, 3)]
    page = await read(client, first=2)
    assert [document["id"] for document in nodes([page])] == [new, middle]
    async with database.begin() as session:
        await session.execute(update(Document).where(Document.id == middle).values(deleted_at=TRASHED))
    await create_document(client)
    rest = await read(client, after=page["pageInfo"]["endCursor"])
    assert [document["id"] for document in nodes([rest])] == [old]


async def test_a_page_has_a_published_size(client: Client) -> None:
    for first in (-1, 101):
        assert await refusal(client, first=first) == "BAD_USER_INPUT"


async def test_a_cursor_of_another_connection_is_refused(client: Client) -> None:
    document = await create_document(client)
    await create_section(client, document)
    of_sections = (await section_edges(client, document))[0]["cursor"]
    assert await refusal(client, after=of_sections) == "BAD_USER_INPUT"


async def test_what_is_no_cursor_of_ours_is_refused(client: Client) -> None:
    good = "2026-01-01T00:00:00+00:00"
    keys: list[Key] = [
        ("yesterday", "doc_a"),
        ("2026-01-01T00:00:00", "doc_a"),
        ("0001-01-01T00:00:00+14:00", "doc_a"),
        ("9999-12-31T23:59:59-14:00", "doc_a"),
        (1, "doc_a"),
        (good, 1),
        (good, "a\0b"),
        (good,),
        (good, "doc_a", "doc_a"),
    ]
    texts = ["", "x", "ä", "\0", "====", "bnVsbA", "MQ", "e30", "x" * 6_000]
    for cursor in [*texts, *(encode("documents", key) for key in keys)]:
        assert await refusal(client, after=cursor) == "BAD_USER_INPUT", cursor


async def test_a_cursor_at_the_end_of_time_is_a_cursor(client: Client) -> None:
    await create_document(client)
    assert (await read(client, after=encode("documents", ("0001-01-01T00:00:00+00:00", "doc_a"))))["edges"] == []
    assert len((await read(client, after=encode("documents", ("9999-12-31T23:59:59+00:00", "doc_a"))))["edges"]) == 1
