"""Unreadable values: one that others have left in a column is a fault of its field, and found by the doctor."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.doctor.scanner import Scanner
from db.models import Document
from services import doctor
from tests.api import operations
from tests.edge.conftest import Log
from tests.support import factories
from tests.support.client import Client

EVERYTHING = """
query ($id: ID!) {
  documents(first: 10) { edges { cursor node { id title createdBy { id name } createdAt sections(first: 10) {
    edges { node { id title level chat { id messageCount createdAt messages(first: 10) {
      edges { node { id seq role author { id name } content clientId createdAt } } } } } }
  } } } pageInfo { endCursor hasNextPage } }
  document(id: $id) { id }
}
"""

TEXT, BLOB = "CAST(x'ff' AS TEXT)", "x'00'"


class Bad(NamedTuple):
    """A value that somebody puts into the first row, by id, of a table."""

    engine: str
    table: str
    column: str
    value: str
    shown: bool = True


IN_SQLITE = [
    Bad("sqlite", table, column, value)
    for table, column, value in (
        ("documents", "title", TEXT),
        ("documents", "title", BLOB),
        ("documents", "created_by", BLOB),
        ("documents", "created_at", "'yesterday'"),
        ("documents", "created_at", "5"),
        ("documents", "created_at", TEXT),
        ("sections", "title", TEXT),
        ("sections", "level", "'one'"),
        ("messages", "role", "'PIRATE'"),
        ("messages", "role", BLOB),
        ("messages", "seq", "'first'"),
        ("messages", "seq", "1 << 40"),
        ("messages", "content", TEXT),
        ("messages", "client_id", BLOB),
        ("messages", "created_at", "'2026-13-45 00:00:00.000000'"),
        ("chat_sessions", "created_at", "''"),
        ("chat_sessions", "last_seq", "'many'"),
    )
]
NOT_SHOWN = [
    Bad("sqlite", "documents", "metadata", "'{'", shown=False),
    Bad("sqlite", "documents", "metadata", TEXT, shown=False),
    Bad("sqlite", "documents", "tags", "'{}'", shown=False),
    Bad("sqlite", "sections", "tags", "5", shown=False),
    Bad("sqlite", "sections", "updated_at", "'never'", shown=False),
    Bad("sqlite", "sections", "status", "'LOST'", shown=False),
    Bad("sqlite", "document_sections", "is_copy", "'maybe'", shown=False),
    Bad("postgresql", "documents", "metadata", "'[]'", shown=False),
    Bad("postgresql", "documents", "tags", "'[1]'", shown=False),
    Bad("postgresql", "sections", "metadata", "('{\"a\": ' || repeat('9', 5000) || '}')::jsonb", shown=False),
    Bad("postgresql", "sections", "updated_at", "'-infinity'", shown=False),
]
IN_POSTGRESQL = [
    Bad("postgresql", table, "created_at", value)
    for table in ("documents", "chat_sessions", "messages")
    for value in ("'20000-01-01'", "'0044-03-15 BC'", "'infinity'")
]


def of_engine(bad: list[Bad]) -> pytest.MarkDecorator:
    """Let a test run on the engine of each bad value."""
    ids = [f"{each.table}.{each.column}={each.value[:24]}" for each in bad]
    return pytest.mark.parametrize(
        ("database_url", "bad"), [(each.engine, each) for each in bad], indirect=["database_url"], ids=ids
    )


async def put(database: Database, bad: Bad) -> str:
    """Put a bad value where it belongs to no server of ours, and return the key of its row."""
    key = "section_id" if bad.table == "document_sections" else "id"
    first = f"(SELECT min({key}) FROM {bad.table})"  # noqa: S608 - our own names, here and below
    change = f"UPDATE {bad.table} SET {bad.column} = {bad.value} WHERE {key} = {first}"  # noqa: S608
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(str(database.url.database))) as file:
            file.execute("PRAGMA ignore_check_constraints = ON")
            file.execute(change)
            file.commit()
    async with database.begin() as session:
        if database.dialect == "postgresql":
            await session.execute(text(change.replace(":", r"\:")))
        return str(await session.scalar(text(f"SELECT min({key}) FROM {bad.table}")))  # noqa: S608


async def filled(client: Client) -> list[str]:
    """Make two documents with sections, chats and messages; return their ids."""
    documents = []
    for _ in range(2):
        documents.append(document := await operations.import_document(client, "# A\n\nText.\n\n# B\n\nText."))
        for section in await operations.section_ids(client, document):
            chat = await operations.ensure_chat(client, document, section)
            for content in ("Hello", "again"):
                await operations.post_message(client, chat, content)
    return documents


def shown_ids(value: Any) -> set[str]:
    """Return every id in an answer."""
    if isinstance(value, dict):
        own = {value["id"]} if "id" in value else set()
        return own.union(*(shown_ids(each) for each in value.values()))
    return set().union(*(shown_ids(each) for each in value)) if isinstance(value, list) else set()


async def named(database: Database) -> list[str]:
    """Return what the doctor says of values."""
    return [each.message async for each in doctor.checks()[doctor.VALUES](Scanner(database))]


def names(message: str, bad: Bad, row: str) -> bool:
    """Tell whether a message names table, row and column."""
    return f"{bad.table}.{bad.column} of the row local, " in message and row in message


@pytest.mark.slow
@of_engine([*IN_SQLITE, *IN_POSTGRESQL])
async def test_a_value_that_cannot_be_read_is_a_fault_of_its_field_and_the_doctor_names_it(
    client: Client, database: Database, log: Log, bad: Bad
) -> None:
    documents = await filled(client)
    before = await client(EVERYTHING, id=documents[1])
    assert await named(database) == []
    row = await put(database, bad)

    answer = await client.result(EVERYTHING, id=documents[1])

    # What is lost is the nearest thing that can be null, which has the row in it, and nothing beside it.
    lost = shown_ids(before) - shown_ids(answer["data"])
    assert row in lost or not lost
    assert shown_ids(answer["data"]) & {document for document in documents if document != row}
    assert [len(answer["data"]["documents"]["edges"]), answer["data"]["document"]] == [2, {"id": documents[1]}]
    others = {"messages": 1, "chat_sessions": 3, "sections": 4, "documents": 13}
    assert len(lost) <= others[bad.table]
    # Each is logged with its id, and told of with no more than that.
    faults = {record["fault_id"] for record in log.of("fault")}
    assert {error["extensions"]["faultId"] for error in answer["errors"]} == faults != set()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL"}
    assert "PIRATE" not in log.text
    assert "yesterday" not in log.text
    (found,) = await named(database)
    assert names(found, bad, row)


@of_engine(NOT_SHOWN)
async def test_a_value_that_cannot_be_read_and_is_not_asked_for_does_no_harm_and_the_doctor_names_it(
    client: Client, database: Database, bad: Bad
) -> None:
    documents = await filled(client)
    before = await client(EVERYTHING, id=documents[1])
    row = await put(database, bad)
    assert await client(EVERYTHING, id=documents[1]) == before
    (found,) = await named(database)
    assert names(found, bad, row)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_doctor_finds_a_row_whose_key_cannot_be_read(client: Client, database: Database) -> None:
    await filled(client)
    await factories.document(database, id="doc_0")
    await put(database, Bad("sqlite", "documents", "id", TEXT))
    (found,) = [each async for each in doctor.checks()[doctor.VALUES](Scanner(database))]
    assert "documents.id of the row rowid 3" in found.message


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_page_goes_on_behind_a_row_that_has_no_place_in_the_order(client: Client, database: Database) -> None:
    documents = [(await factories.document(database)).id for _ in range(5)]
    bad = await put(database, Bad("sqlite", "documents", "created_at", "'yesterday'"))
    seen, after = set[str](), None
    for _ in range(5):
        answer = (await client.result(operations.DOCUMENTS, first=2, after=after))["data"]["documents"]
        seen |= shown_ids(answer)
        after = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert seen == {*documents} - {bad}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_export_of_what_cannot_be_read_is_a_fault_of_that_field(
    client: Client, database: Database, log: Log
) -> None:
    document, _ = await filled(client)
    await put(database, Bad("sqlite", "sections", "title", TEXT))
    answer = await client.result(
        "query ($id: ID!) { document(id: $id) { id markdown } other: document(id: $id) { id } }", id=document
    )
    assert answer["data"] == {"document": None, "other": {"id": document}}
    assert [error["path"] for error in answer["errors"]] == [["document", "markdown"]]
    assert len(log.of("fault")) == 1


async def test_a_chat_whose_time_cannot_be_read_keeps_no_other_from_being_told(database: Database) -> None:
    document: Document = await factories.document(database)
    chat_feed = ChatFeed(database, 60.0)
    follower = await chat_feed.of("local", document.id)
    chats = [await factories.chat(database, await factories.section(database, document)) for _ in range(2)]
    value = "'junk'" if database.dialect == "sqlite" else "'infinity'"
    await put(database, Bad(database.dialect, "chat_sessions", "created_at", value))
    await chat_feed.of("local", document.id)
    async with asyncio.timeout(10):
        assert {(await anext(follower)).id, (await anext(follower)).id} == {chat.id for chat in chats}
    await chat_feed.close()
