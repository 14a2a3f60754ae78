"""`ensureSectionChat`: the table that promises what it answers, row by row."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from db.connection.database import Database
from db.models import ChatSession, Document, Section
from db.principals import Principal, Role
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.counting import counted

ENSURE = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on ChatSession { id ensured createdBy { id } messageCount section { id } document { id } }
    ... on Error { code message }
    ... on DocumentNotFound { docId }
    ... on SectionNotFound { sectionId }
    ... on SectionNotInDocument { docId sectionId }
    ... on Forbidden { subjectId }
    ... on TemporarilyUnavailable { retryAfterMs }
  }
}
"""

READER = Principal("reader", "local", Role.READER)
COMMENTER = Principal("commenter", "local", Role.COMMENTER)
TRASHED = datetime(2026, 1, 1, tzinfo=UTC)


async def ensure(client: Client, document: Document | str, section: Section | str) -> dict[str, Any]:
    doc_id = document if isinstance(document, str) else document.id
    section_id = section if isinstance(section, str) else section.id
    result: dict[str, Any] = (await client(ENSURE, docId=doc_id, sectionId=section_id))["ensureSectionChat"]
    return result


async def pointer(database: Database, section: Section) -> str | None:
    async with database.read() as session:
        return await session.scalar(select(Section.chat_session_id).where(Section.id == section.id))


async def chats(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(ChatSession)) or 0


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


# Rule 1


async def test_a_document_that_does_not_exist_is_not_found(client: Client, database: Database) -> None:
    section = await factories.section(database)
    assert await ensure(client, "doc_missing", section) == {
        "__typename": "DocumentNotFound",
        "code": "DOCUMENT_NOT_FOUND",
        "message": "Document not found",
        "docId": "doc_missing",
    }


async def test_a_document_in_the_trash_is_not_found(client: Client, database: Database) -> None:
    trashed = await factories.document(database, deleted_at=TRASHED)
    section = await factories.section(database, trashed)
    assert (await ensure(client, trashed, section))["code"] == "DOCUMENT_NOT_FOUND"


async def test_a_document_of_another_workspace_is_not_found(client: Client, database: Database) -> None:
    await factories.workspace(database, "other")
    foreign = await factories.document(database, workspace_id="other")
    section = await factories.section(database, foreign)
    assert (await ensure(client, foreign, section))["code"] == "DOCUMENT_NOT_FOUND"


async def test_the_document_is_looked_at_before_the_section(client: Client) -> None:
    assert (await ensure(client, "doc_missing", "sec_missing"))["code"] == "DOCUMENT_NOT_FOUND"


# Rule 2


async def test_a_section_that_does_not_exist_is_not_found(client: Client, document: Document) -> None:
    assert await ensure(client, document, "sec_missing") == {
        "__typename": "SectionNotFound",
        "code": "SECTION_NOT_FOUND",
        "message": "Section not found",
        "sectionId": "sec_missing",
    }


async def test_a_section_in_the_trash_is_not_found(client: Client, database: Database, document: Document) -> None:
    trashed = await factories.section(database, document, deleted_at=TRASHED)
    await factories.chat(database, trashed)
    assert (await ensure(client, document, trashed))["code"] == "SECTION_NOT_FOUND"


async def test_a_section_of_another_workspace_is_not_found(
    client: Client, database: Database, document: Document
) -> None:
    await factories.workspace(database, "other")
    foreign = await factories.section(database, workspace_id="other")
    assert (await ensure(client, document, foreign))["code"] == "SECTION_NOT_FOUND"


# Rule 3


async def test_a_section_of_another_document_is_not_in_this_one(
    client: Client, database: Database, document: Document
) -> None:
    elsewhere = await factories.section(database, await factories.document(database))
    await factories.chat(database, elsewhere)
    assert await ensure(client, document, elsewhere) == {
        "__typename": "SectionNotInDocument",
        "code": "SECTION_NOT_IN_DOCUMENT",
        "message": "Section not found in this document",
        "docId": document.id,
        "sectionId": elsewhere.id,
    }


async def test_the_same_ids_in_another_workspace_are_other_things(
    client: Client, serve: Serve, database: Database, document: Document
) -> None:
    section = await factories.section(database, document)
    ours = await ensure(client, document, section)
    await factories.workspace(database, "other")
    twin = await factories.document(database, workspace_id="other", id=document.id)
    await factories.section(database, twin, id=section.id)
    async with serve(Principal("stranger", "other", Role.OWNER)) as stranger:
        theirs = await ensure(stranger, document, section)
    assert theirs["ensured"] == "CREATED"
    assert theirs["id"] != ours["id"]
    assert (await ensure(client, document, section))["id"] == ours["id"]


# Rule 4


@pytest.mark.parametrize("who", [READER, COMMENTER, Principal("owner", "local", Role.OWNER)])
async def test_a_chat_that_is_pointed_to_is_found_and_nothing_is_written(
    serve: Serve, database: Database, document: Document, who: Principal
) -> None:
    section = await factories.section(database, document, chat_session_id="chat_there")
    await factories.chat(database, section, id="chat_there", document_id=document.id, last_seq=3)
    async with serve(who) as client:
        with counted(client.database) as statements:
            found = await ensure(client, document, section)
    assert found == {
        "__typename": "ChatSession",
        "id": "chat_there",
        "ensured": "FOUND",
        "createdBy": {"id": "user_somebody"},
        "messageCount": 3,
        "section": {"id": section.id},
        "document": {"id": document.id},
    }
    assert len(statements) == 1
    assert statements[0].lstrip().startswith("SELECT")
    assert "UPDATE" not in statements[0]


async def test_a_section_in_two_documents_has_one_chat(client: Client, database: Database, document: Document) -> None:
    section = await factories.section(database, document)
    other = await factories.document(database)
    await factories.place(database, other, section)
    opened = await ensure(client, document, section)
    through_other = await ensure(client, other, section)
    assert through_other["id"] == opened["id"]
    assert through_other["ensured"] == "FOUND"
    assert through_other["document"] == {"id": document.id}, "the document through which it was opened"


# Rule 5


@pytest.mark.parametrize("broken", ["empty", "dangling", "of another section"])
@pytest.mark.parametrize("who", [READER, COMMENTER])
async def test_a_pointer_that_is_wrong_is_set_right(
    serve: Serve, database: Database, document: Document, broken: str, who: Principal
) -> None:
    other = await factories.section(database, document, chat_session_id="chat_other")
    await factories.chat(database, other, id="chat_other")
    wrong = {"empty": None, "dangling": "chat_gone", "of another section": "chat_other"}[broken]
    section = await factories.section(database, document, chat_session_id=wrong)
    await factories.chat(database, section, id="chat_there", last_seq=2)
    async with serve(who) as client:
        repaired = await ensure(client, document, section)
        assert (repaired["id"], repaired["ensured"], repaired["messageCount"]) == ("chat_there", "REPAIRED", 2)
        assert await pointer(database, section) == "chat_there"
        again = await ensure(client, document, section)
        assert (again["id"], again["ensured"]) == ("chat_there", "FOUND")
        untouched = await ensure(client, document, other)
        assert (untouched["id"], untouched["ensured"]) == ("chat_other", "FOUND")


# Rule 6


async def test_the_first_ensure_opens_the_chat_and_the_second_finds_it(
    client: Client, database: Database, document: Document
) -> None:
    section = await factories.section(database, document)
    opened = await ensure(client, document, section)
    assert opened == {
        "__typename": "ChatSession",
        "id": opened["id"],
        "ensured": "CREATED",
        "createdBy": {"id": "user_local"},
        "messageCount": 0,
        "section": {"id": section.id},
        "document": {"id": document.id},
    }
    assert opened["id"].startswith("chat_")
    assert await pointer(database, section) == opened["id"]
    assert await ensure(client, document, section) == {**opened, "ensured": "FOUND"}
    assert await chats(database) == 1


@pytest.mark.parametrize("broken", ["dangling", "of another section"])
async def test_a_wrong_pointer_does_not_stand_in_for_a_chat(
    client: Client, database: Database, document: Document, broken: str
) -> None:
    other = await factories.section(database, document, chat_session_id="chat_other")
    await factories.chat(database, other, id="chat_other")
    wrong = {"dangling": "chat_gone", "of another section": "chat_other"}[broken]
    section = await factories.section(database, document, chat_session_id=wrong)
    opened = await ensure(client, document, section)
    assert opened["ensured"] == "CREATED"
    assert opened["id"] not in ("chat_gone", "chat_other")
    assert await pointer(database, section) == opened["id"]


async def test_a_commenter_may_open_a_chat(serve: Serve, database: Database, document: Document) -> None:
    section = await factories.section(database, document)
    async with serve(COMMENTER) as client:
        assert (await ensure(client, document, section))["createdBy"] == {"id": "user_commenter"}


# Rule 7


async def test_a_reader_may_not_open_a_chat(serve: Serve, database: Database, document: Document) -> None:
    section = await factories.section(database, document)
    async with serve(READER) as client:
        assert await ensure(client, document, section) == {
            "__typename": "Forbidden",
            "code": "FORBIDDEN",
            "message": "Your role does not allow this",
            "subjectId": section.id,
        }
    assert await chats(database) == 0
    assert await pointer(database, section) is None


# Rule 8


async def test_a_lock_that_is_not_got_in_time_is_temporary(
    serve: Serve, database: Database, document: Document
) -> None:
    section = await factories.section(database, document)
    async with serve(lock_timeout=0.3) as client:
        async with database.begin() as holder:
            # On SQLite the transaction alone holds the lock; on PostgreSQL it is the row that is not committed yet.
            holder.add(ChatSession(workspace_id="local", id="chat_held", section_id=section.id, created_by="holder"))
            await holder.flush()
            assert await ensure(client, document, section) == {
                "__typename": "TemporarilyUnavailable",
                "code": "TEMPORARILY_UNAVAILABLE",
                "message": "Temporarily unavailable, please retry",
                "retryAfterMs": 1000,
            }
            await holder.rollback()
        assert (await ensure(client, document, section))["ensured"] == "CREATED"
    assert await chats(database) == 1
