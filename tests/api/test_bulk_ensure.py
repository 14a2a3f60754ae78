"""Bulk ensures: many sections of a document, or all of it, as if each were asked for by itself, in four statements."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import update

from db.connection.database import Database
from db.models import Document, Section
from db.principals import Principal, Role
from services import limits
from tests.api.operations import TRASHED
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.concurrent_callers import assert_one_chat, chats_of, many_sections, pointer
from tests.support.counting import counted
from tests.support.invariants import violations
from tests.support.statements import before_statements

SECTIONS = """
mutation ($docId: ID!, $sectionIds: [ID!]!) {
  ensureSectionChats(docId: $docId, sectionIds: $sectionIds) {
    __typename
    ... on EnsureSectionChatsSuccess {
      results { sectionId ensured chat { id ensured section { id title } document { id } } error { __typename code } }
    }
    ... on Error { code }
  }
}
"""

DOCUMENT = """
mutation ($docId: ID!) {
  ensureDocumentChats(docId: $docId) {
    __typename
    ... on EnsureDocumentChatsSuccess { document { id } createdCount foundCount repairedCount refusedCount }
    ... on Error { code }
  }
}
"""

READER = Principal("somebody", "local", Role.READER)


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


async def ensure_all(client: Client, document: str, sections: list[str]) -> Any:
    answer = (await client(SECTIONS, docId=document, sectionIds=sections))["ensureSectionChats"]
    return answer["results"] if answer["__typename"] == "EnsureSectionChatsSuccess" else answer["code"]


async def ensure_document(client: Client, document: str) -> Any:
    answer = (await client(DOCUMENT, docId=document))["ensureDocumentChats"]
    if answer["__typename"] != "EnsureDocumentChatsSuccess":
        return answer["code"]
    assert answer["document"] == {"id": document}
    return tuple(answer[f"{what}Count"] for what in ("created", "found", "repaired", "refused"))


def told(results: list[dict[str, Any]]) -> list[str]:
    assert all((result["chat"] is None) is (result["ensured"] is None) for result in results)
    return [result["ensured"] or result["error"]["code"] for result in results]


def real(statements: list[str]) -> int:
    """Count the statements that are ours, without the frame of the transaction."""
    return sum(statement.split()[0].strip(";") not in ("BEGIN", "COMMIT", "ROLLBACK") for statement in statements)


async def point(database: Database, section: str, chat: str | None) -> None:
    async with database.begin() as session:
        await session.execute(update(Section).where(Section.id == section).values(chat_session_id=chat))


async def mixed(database: Database, document: Document) -> list[str]:
    """Make sections of every kind: found, two without, dangling, crossed, unset, elsewhere, in the trash, nowhere."""
    sections = await many_sections(database, document, 6)
    rows = {}
    async with database.read() as session:
        for section in sections:
            rows[section] = await session.get_one(Section, ("local", section))
    chats = {section: (await factories.chat(database, rows[section])).id for section in (sections[0], *sections[3:])}
    await point(database, sections[0], chats[sections[0]])
    await point(database, sections[3], "chat_gone")
    await point(database, sections[4], chats[sections[0]])
    elsewhere = await factories.section(database)
    trashed = await factories.section(database, deleted_at=TRASHED)
    await factories.place(database, document, trashed, "b00")
    return [*sections, elsewhere.id, trashed.id, "sec_nowhere", "sec_\0", ""]


EXPECTED = [
    *("FOUND", "CREATED", "CREATED", "REPAIRED", "REPAIRED", "REPAIRED"),
    "SECTION_NOT_IN_DOCUMENT",
    *["SECTION_NOT_FOUND"] * 4,
]


async def test_each_id_gets_the_answer_that_it_would_get_alone(
    client: Served, database: Database, document: Document
) -> None:
    sections = await mixed(database, document)

    with counted(client.database) as statements:
        results = await ensure_all(client, document.id, sections)

    assert told(results) == EXPECTED
    assert real(statements) <= 4
    assert [result["sectionId"] for result in results] == sections
    assert [result["chat"]["section"]["id"] for result in results[:6]] == sections[:6]
    assert {result["chat"]["document"]["id"] for result in results[1:3]} == {document.id}
    for section, result in zip(sections[:6], results[:6], strict=True):
        await assert_one_chat(database, section, [{"__typename": "ChatSession", **result["chat"]}])
    assert await violations(database) == []
    with counted(client.database) as statements:
        again = await ensure_all(client, document.id, sections)
    assert told(again) == ["FOUND"] * 6 + EXPECTED[6:]
    assert [result["chat"] and result["chat"]["id"] for result in again] == [
        result["chat"] and result["chat"]["id"] for result in results
    ]
    assert len(statements) == 1


async def test_a_whole_document_is_ensured(client: Served, database: Database, document: Document) -> None:
    sections = await mixed(database, document)

    with counted(client.database) as statements:
        assert await ensure_document(client, document.id) == (2, 1, 3, 0)
    # The last one reads the document that is selected.
    assert real(statements) <= 4 + 1
    assert await ensure_document(client, document.id) == (0, 6, 0, 0)
    for section in sections[:6]:
        assert await pointer(database, section)
    assert await violations(database) == []


async def test_who_may_only_read_opens_nothing_and_gets_the_others(
    serve: Serve, database: Database, document: Document
) -> None:
    sections = await mixed(database, document)
    async with serve(READER) as reader:
        expected = ["FORBIDDEN" if each == "CREATED" else each for each in EXPECTED]
        assert told(await ensure_all(reader, document.id, sections)) == expected
        assert await ensure_document(reader, document.id) == (0, 4, 0, 2)
    assert (await chats_of(database, sections[1:3])) == [None, None]


async def test_five_hundred_sections_take_as_many_statements_as_one(
    client: Served, database: Database, document: Document
) -> None:
    sections = await many_sections(database, document, limits.ENSURED_SECTIONS)
    with counted(client.database) as statements:
        results = await ensure_all(client, document.id, sections)
    assert Counter(told(results)) == {"CREATED": len(sections)}
    assert real(statements) <= 4
    assert [result["chat"]["id"] for result in results] == await chats_of(database, sections)
    one_more = ", ".join(f'"{section}"' for section in [*sections, sections[0]])
    answer = await client(
        f'mutation {{ ensureSectionChats(docId: "{document.id}", sectionIds: [{one_more}]) {{ __typename }} }}'
    )
    assert answer == {"ensureSectionChats": {"__typename": "InvalidInput"}}
    assert await ensure_document(client, document.id) == (0, 500, 0, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_asked_for_is_read_once_however_many_sections_the_document_has(
    client: Served, document: Document, database: Database
) -> None:
    """Otherwise the one write lock is held for a time that grows with the square of their number."""
    sections = await many_sections(database, document, 2)
    with counted(client.database) as statements:
        await ensure_all(client, document.id, sections)
    (opening,) = (statement for statement in statements if "INSERT INTO chat_sessions" in statement)
    async with client.database.begin() as session:
        connection = await session.connection()
        plan = await connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {opening}", ("[]", "me", "local", "doc", "x", "y")[: opening.count("?")]
        )
        steps = [step for *_, step in plan]
    assert steps[:3] == ["MATERIALIZE asked", "SCAN pairs VIRTUAL TABLE INDEX 1:", steps[2]]
    assert not [step for step in steps[2:] if "VIRTUAL TABLE" in step], steps


async def test_an_id_that_is_asked_for_twice_is_opened_once(
    client: Client, database: Database, document: Document
) -> None:
    (section,) = await many_sections(database, document, 1)
    results = await ensure_all(client, document.id, [section, section])
    assert told(results) == ["CREATED", "FOUND"]
    await assert_one_chat(database, section, [{"__typename": "ChatSession", **result["chat"]} for result in results])


async def test_of_a_document_that_cannot_be_seen_nothing_is_told(client: Client, database: Database) -> None:
    trashed = await factories.document(database, deleted_at=TRASHED)
    await factories.workspace(database, "other")
    theirs = await factories.document(database, workspace_id="other")
    (section,) = await many_sections(database, theirs, 1)
    for document in (trashed.id, theirs.id, "doc_nowhere", "", "doc_\0"):
        for sections in ([], [section]):
            assert await ensure_all(client, document, sections) == "DOCUMENT_NOT_FOUND"
        assert await ensure_document(client, document) == "DOCUMENT_NOT_FOUND"


async def test_nothing_is_a_fine_answer_to_nothing(client: Client, document: Document) -> None:
    assert await ensure_all(client, document.id, []) == []
    assert await ensure_document(client, document.id) == (0, 0, 0, 0)


@contextmanager
def before_the_second_look(client: Served, database_url: str, *statements: str) -> Iterator[None]:
    """Have somebody else write when what was opened is committed, and has not been looked at again."""
    looks = 0

    async def count(_connection: Any, text: str, _parameters: Any) -> None:
        nonlocal looks
        looks += text.startswith("SELECT") and "chat_sessions" in text
        if looks == 2:
            with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other, other:
                for statement in statements:
                    other.execute(statement)

    with before_statements(client.database, count, reads_only=True):
        yield
    assert looks == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("taken", ["DELETE FROM document_sections", "UPDATE documents SET deleted_at = '2026-01-01'"])
async def test_what_was_opened_is_told_even_if_it_was_taken_away_since(
    client: Served, database: Database, database_url: str, document: Document, taken: str
) -> None:
    """A typed "no" means that nothing was changed."""
    sections = await many_sections(database, document, 2)
    with before_the_second_look(client, database_url, taken):
        results = await ensure_all(client, document.id, [*sections, "sec_nowhere"])
    assert told(results)[:2] == ["CREATED", "CREATED"]
    assert told(results)[2] in ("SECTION_NOT_FOUND", "DOCUMENT_NOT_FOUND")
    assert [result["chat"]["id"] for result in results[:2]] == await chats_of(database, sections)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_was_opened_is_counted_even_if_the_document_was_taken_away_since(
    client: Served, database: Database, database_url: str, document: Document
) -> None:
    await many_sections(database, document, 2)
    with before_the_second_look(client, database_url, "UPDATE documents SET deleted_at = '2026-01-01'"):
        answer = (await client(DOCUMENT, docId=document.id))["ensureDocumentChats"]
    assert (answer["createdCount"], answer["document"]) == (2, None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "taken", ["DELETE FROM document_sections WHERE section_id = ?", "UPDATE documents SET deleted_at = '2026-01-01'"]
)
async def test_what_was_there_is_counted_whatever_was_taken_away_since(
    client: Served, database: Database, database_url: str, document: Document, taken: str
) -> None:
    opened, there = await many_sections(database, document, 2)
    assert told(await ensure_all(client, document.id, [there])) == ["CREATED"]
    with before_the_second_look(client, database_url, taken.replace("?", f"'{opened}'")):
        answer = (await client(DOCUMENT, docId=document.id))["ensureDocumentChats"]
    assert (answer["createdCount"], answer["foundCount"]) == (1, 1)
