"""Errors: what a fault and a database that does not answer look like, to clients and in the log."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from db.connection.database import Database
from tests.api import operations
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.fields import World, fields
from tests.edge.outages import execute, gone
from tests.support.client import Client, Served

READ = """
query ($chat: ID!, $document: ID!) {
  chatSession(id: $chat) { messages { edges { node { content } } } }
  document(id: $document) { id }
}
"""
POST_AND_CREATE = """
mutation ($chat: ID!) {
  postMessage(chatId: $chat, content: "Hello again") { __typename }
  createDocument(title: "A sibling") { __typename }
}
"""

OTHER_CHAT = """
INSERT INTO chat_sessions (workspace_id, id, section_id, document_id, created_by)
VALUES ('local', 'chat_other', $1, $2, 'other')
"""


# Faults


async def test_a_fault_is_masked_with_an_id_that_is_in_the_log_once(
    client: Client, world: World, database: Database, log: Log
) -> None:
    await execute(database, "ALTER TABLE messages RENAME TO hidden")

    answer = await client.result(READ, chat=world.chat, document=world.document)

    assert answer["data"] == {"chatSession": None, "document": {"id": world.document}}
    (error,) = answer["errors"]
    fault_id = error["extensions"]["faultId"]
    assert error["message"] == f"Internal error {fault_id}"
    assert error["extensions"] == {"code": "INTERNAL", "faultId": fault_id}
    assert error["path"] == ["chatSession", "messages"]
    (complaint,) = log.complaints()
    assert (complaint["level"], complaint["event"], complaint["fault_id"]) == ("error", "fault", fault_id)
    assert complaint["path"] == "chatSession.messages"
    assert "messages" in complaint["exception"][0]["exc_value"]
    assert "fetch" in {frame["name"] for frame in complaint["exception"][0]["frames"]}
    assert log.text.count(fault_id) == 1


async def test_a_fault_of_one_change_leaves_the_others(
    client: Client, world: World, database: Database, log: Log
) -> None:
    await execute(database, "ALTER TABLE messages RENAME TO hidden")

    answer = await client.result(POST_AND_CREATE, chat=world.chat)

    assert answer["data"] == {"postMessage": None, "createDocument": {"__typename": "CreateDocumentSuccess"}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert len(log.complaints()) == 1


async def test_nothing_of_a_fault_is_told_but_its_id(client: Client, world: World, database: Database) -> None:
    await execute(database, "ALTER TABLE chat_sessions RENAME TO hidden")

    answer = str(await client.result(operations.ENSURE_CHAT, docId=world.document, sectionId=world.section))

    assert "INTERNAL" in answer
    for secret in ("SELECT", "chat_sessions", "hidden", "sqlalche", "sqlite", "asyncpg", "Error:", "Traceback"):
        assert secret not in answer


async def test_each_fault_has_an_id_of_its_own(client: Client, world: World, database: Database, log: Log) -> None:
    await execute(database, "ALTER TABLE messages RENAME TO hidden")

    answer = await client.result(
        "query ($chat: ID!) { a: chatSession(id: $chat) { ...M } b: chatSession(id: $chat) { ...M } } "
        "fragment M on ChatSession { messages { edges { cursor } } }",
        chat=world.chat,
    )

    told = {error["extensions"]["faultId"] for error in answer["errors"]}
    assert len(told) == 2
    assert told == {complaint["fault_id"] for complaint in log.complaints()}


async def test_faults_by_the_hundred_are_logged_as_far_as_they_are_told(
    serve: Serve, world: World, database: Database, log: Log
) -> None:
    await execute(database, "ALTER TABLE messages RENAME TO hidden")
    fields = " ".join(
        f"a{number}: chatSession(id: $chat) {{ messages {{ edges {{ cursor }} }} }}" for number in range(9)
    )

    async with serve(max_errors=3) as client:
        answer = await client.result(f"query ($chat: ID!) {{ {fields} }}", chat=world.chat)

    assert [error["extensions"]["code"] for error in answer["errors"]] == [*["INTERNAL"] * 3, "TOO_MANY_ERRORS"]
    assert len(log.complaints()) == 3
    assert log.of("more errors")[0]["count"] == 6


# A database out of reach


async def test_a_database_out_of_reach_is_said_so_and_used_again_when_it_is_back(
    client: Served, world: World, postgres_server: str, log: Log
) -> None:
    async with gone(client.database, postgres_server):
        answer = await client.result(READ, chat=world.chat, document=world.document)

    assert answer["data"] == {"chatSession": None, "document": None}
    for error in answer["errors"]:
        assert error["extensions"] == {"code": "TEMPORARILY_UNAVAILABLE", "retryAfterMs": 1000}
    assert {complaint["event"] for complaint in log.complaints()} == {"unavailable"}
    assert {complaint["level"] for complaint in log.complaints()} == {"warning"}
    assert (await client(READ, chat=world.chat, document=world.document))["document"] == {"id": world.document}


async def test_every_change_can_say_that_the_database_is_out_of_reach(
    client: Served, world: World, postgres_server: str
) -> None:
    changes = fields("Mutation")
    async with gone(client.database, postgres_server):
        for change in changes:
            assert await client(change.operation, **world.good(change)) == {
                change.name: {
                    "__typename": "TemporarilyUnavailable",
                    "code": "TEMPORARILY_UNAVAILABLE",
                    "message": "Temporarily unavailable, please retry",
                }
            }

    for change in changes:
        outcome = (await client(change.operation, **world.good(change)))[change.name]
        assert outcome["__typename"] != "TemporarilyUnavailable"


# A lock that somebody else holds


@asynccontextmanager
async def another_writer(database: Database, document: str, section: str) -> AsyncIterator[None]:
    """Hold what an ensure of the section has to wait for, and let it go without a trace."""
    if database.dialect == "sqlite":
        held = sqlite3.connect(str(database.url.database), isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        held.execute(OTHER_CHAT.replace("$1", "?").replace("$2", "?"), (section, document))
        yield
        held.rollback()
        held.close()
    else:
        connection = await asyncpg.connect(database.url.set(drivername="postgresql").render_as_string(False))
        async with connection.transaction():
            await connection.execute(OTHER_CHAT, section, document)
            yield
            await connection.execute("DELETE FROM chat_sessions WHERE id = 'chat_other'")
        await connection.close()


async def test_a_lock_that_is_not_got_in_time_is_said_so(serve: Serve, log: Log) -> None:
    async with serve(lock_timeout=0.3) as client:
        document = await operations.import_document(client, "# A section")
        (section,) = await operations.section_ids(client, document)
        async with another_writer(client.database, document, section):
            started = time.monotonic()
            outcome = (await client(operations.ENSURE_CHAT, docId=document, sectionId=section))["ensureSectionChat"]
            waited = time.monotonic() - started
            assert await operations.section_ids(client, document) == [section], "reading goes on"

        assert outcome["__typename"] == "TemporarilyUnavailable"
        assert 0.3 <= waited < 5
        assert {complaint["event"] for complaint in log.complaints()} == {"unavailable"}
        again = (await client(operations.ENSURE_CHAT, docId=document, sectionId=section))["ensureSectionChat"]
        assert again["ensured"] == "CREATED"


async def test_a_lock_that_is_got_in_time_is_waited_for(serve: Serve, log: Log) -> None:
    async with serve(lock_timeout=10) as client:
        document = await operations.import_document(client, "# A section")
        (section,) = await operations.section_ids(client, document)
        async with another_writer(client.database, document, section):
            ensuring = asyncio.create_task(client(operations.ENSURE_CHAT, docId=document, sectionId=section))
            await asyncio.sleep(0.5)
            assert not ensuring.done()

        assert (await ensuring)["ensureSectionChat"]["ensured"] == "CREATED"
        assert log.complaints() == []


# What a client does wrong


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_mistakes_of_clients_are_noted_without_what_was_sent(client: Client, log: Log) -> None:
    marker = "Xanthippe"
    for query, variables in (
        (f"{{ {marker} }}", {}),
        (f'{{ node(id: "{marker}", {marker}: 1) {{ id }} }}', {}),
        (f'{{ "{marker}', {}),
        (f'{{ documents(after: "{marker}") {{ __typename }} }}', {}),
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": [marker]}),
        ("query ($after: String) { documents(after: $after) { __typename } }", {"after": marker}),
    ):
        assert (await client.result(query, **variables))["errors"]

    lines = log.of("operation")
    assert len(lines) == 6
    assert {line["level"] for line in lines} == {"info"}
    assert {line["outcome"] for line in lines} == {"refused", "errors"}
    assert {line["code"] for line in lines} == {
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
    }
    assert marker not in log.text
