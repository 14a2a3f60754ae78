"""What is in the trash, or belongs to another workspace, is nowhere to be seen and cannot be named."""

import json
from typing import Any

import pytest

from db.connection.database import Database
from db.models import ChatSession, Document, Message, Section
from db.principals import Principal, Role
from tests.api.operations import (
    CREATE_SECTION,
    DOCUMENT,
    DOCUMENTS,
    ENSURE_CHAT,
    PLACE_SECTION,
    POST_MESSAGE,
    REMOVE_SECTION,
    TRASHED,
    nodes,
    section_ids,
)
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client

BY_ID = """
query ($doc: ID!, $section: ID!, $chat: ID!, $ids: [ID!]!) {
  document(id: $doc) { id title }
  section(id: $section) { id title content }
  chatSession(id: $chat) { id }
  nodes(ids: $ids) { __typename id ... on Message { content } }
}
"""

NODE = "query ($id: ID!) { node(id: $id) { id } }"

AROUND_A_SECTION = """
query ($id: ID!) {
  section(id: $id) { documents { edges { node { id } } } chat { id document { id } } }
}
"""


class World:
    """A document with a section, its chat and a message, all in one workspace."""

    def __init__(self, document: Document, section: Section, chat: ChatSession, message: Message) -> None:
        self.document, self.section, self.chat, self.message = document.id, section.id, chat.id, message.id
        self.ids = [self.document, self.section, self.chat, self.message]


async def world(database: Database, workspace_id: str = "local", text: str = "Ours", **of_section: Any) -> World:
    document = await factories.document(database, workspace_id=workspace_id, title=text)
    section = await factories.section(database, document, title=text, content=text, **of_section)
    chat = await factories.chat(database, section, document_id=document.id, last_seq=1)
    message = Message(
        workspace_id=workspace_id, id=f"msg_{text}", chat_id=chat.id, seq=1, role="USER", author="ann", content=text
    )
    return World(document, section, chat, await factories.add(database, message))


async def by_id(client: Client, world: World) -> dict[str, Any]:
    return await client(BY_ID, doc=world.document, section=world.section, chat=world.chat, ids=world.ids)


async def code(client: Client, operation: str, **variables: Any) -> str:
    (answer,) = (await client(operation, **variables)).values()
    return str(answer.get("code"))


@pytest.fixture
async def ours(database: Database) -> World:
    return await world(database)


async def test_what_is_ours_is_seen(client: Client, ours: World) -> None:
    found = await by_id(client, ours)
    assert found["document"] == {"id": ours.document, "title": "Ours"}
    assert found["section"] == {"id": ours.section, "title": "Ours", "content": "Ours"}
    assert found["chatSession"] == {"id": ours.chat}
    assert [node["id"] for node in found["nodes"]] == ours.ids


async def test_a_document_in_the_trash_is_nowhere(client: Client, database: Database, ours: World) -> None:
    trashed = await factories.document(database, deleted_at=TRASHED)
    shared = await factories.section(database, trashed)
    chat = await factories.chat(database, shared, document_id=trashed.id)
    document = await factories.document(database)
    await factories.place(database, document, shared)

    assert (await client(DOCUMENT, id=trashed.id))["document"] is None
    assert (await client(NODE, id=trashed.id))["node"] is None
    listed = nodes([(await client(DOCUMENTS))["documents"]])
    assert {row["id"] for row in listed} == {ours.document, document.id}
    assert (await client(AROUND_A_SECTION, id=shared.id))["section"] == {
        "documents": {"edges": [{"node": {"id": document.id}}]},
        "chat": {"id": chat.id, "document": None},
    }


async def test_a_document_in_the_trash_cannot_be_changed(client: Client, database: Database, ours: World) -> None:
    trashed = await factories.document(database, deleted_at=TRASHED)
    inside = await factories.section(database, trashed)
    codes = [
        await code(client, CREATE_SECTION, docId=trashed.id),
        await code(client, PLACE_SECTION, docId=trashed.id, sectionId=ours.section),
        await code(client, REMOVE_SECTION, docId=trashed.id, sectionId=inside.id),
        await code(client, ENSURE_CHAT, docId=trashed.id, sectionId=inside.id),
    ]
    assert codes == ["DOCUMENT_NOT_FOUND"] * 4


async def test_a_section_in_the_trash_is_nowhere(client: Client, database: Database, ours: World) -> None:
    trashed = await world(database, text="Trashed", deleted_at=TRASHED)
    found = await by_id(client, trashed)
    assert found["document"] == {"id": trashed.document, "title": "Trashed"}
    assert (found["section"], found["chatSession"]) == (None, None)
    assert found["nodes"] == [{"__typename": "Document", "id": trashed.document}, None, None, None]
    assert await section_ids(client, trashed.document) == []
    assert (await client(DOCUMENT, id=trashed.document))["document"]["markdown"] == ""


async def test_a_section_in_the_trash_cannot_be_changed(client: Client, database: Database, ours: World) -> None:
    trashed = await world(database, text="Trashed", deleted_at=TRASHED)
    codes = [
        await code(client, PLACE_SECTION, docId=ours.document, sectionId=trashed.section),
        await code(client, REMOVE_SECTION, docId=trashed.document, sectionId=trashed.section),
        await code(client, ENSURE_CHAT, docId=trashed.document, sectionId=trashed.section),
        await code(client, POST_MESSAGE, chatId=trashed.chat, content="Hello"),
        await code(client, CREATE_SECTION, docId=ours.document, id=trashed.section),
    ]
    assert codes == ["SECTION_NOT_FOUND"] * 3 + ["CHAT_SESSION_NOT_FOUND", "ID_TAKEN"]


async def test_another_workspace_is_nowhere(client: Client, database: Database, ours: World) -> None:
    await factories.workspace(database, "other")
    theirs = await world(database, "other", "Secret")
    found = await by_id(client, theirs)
    assert found == {"document": None, "section": None, "chatSession": None, "nodes": [None] * 4}
    assert [(await client(NODE, id=id))["node"] for id in theirs.ids] == [None] * 4
    listed = (await client(DOCUMENTS))["documents"]
    assert [row["id"] for row in nodes([listed])] == [ours.document]
    assert "Secret" not in json.dumps([found, listed])


async def test_another_workspace_cannot_be_changed(client: Client, database: Database, ours: World) -> None:
    await factories.workspace(database, "other")
    theirs = await world(database, "other", "Secret")
    codes = [
        await code(client, CREATE_SECTION, docId=theirs.document),
        await code(client, PLACE_SECTION, docId=theirs.document, sectionId=ours.section),
        await code(client, REMOVE_SECTION, docId=theirs.document, sectionId=theirs.section),
        await code(client, ENSURE_CHAT, docId=theirs.document, sectionId=theirs.section),
        await code(client, PLACE_SECTION, docId=ours.document, sectionId=theirs.section),
        await code(client, REMOVE_SECTION, docId=ours.document, sectionId=theirs.section),
        await code(client, ENSURE_CHAT, docId=ours.document, sectionId=theirs.section),
        await code(client, POST_MESSAGE, chatId=theirs.chat, content="Hello"),
    ]
    assert codes == ["DOCUMENT_NOT_FOUND"] * 4 + ["SECTION_NOT_FOUND"] * 3 + ["CHAT_SESSION_NOT_FOUND"]


async def test_the_same_ids_name_other_things_in_another_workspace(
    client: Client, serve: Serve, database: Database
) -> None:
    await factories.workspace(database, "other")
    for workspace_id in ("local", "other"):
        document = await factories.document(database, workspace_id=workspace_id, id="doc_twin", title=workspace_id)
        await factories.section(database, document, id="sec_twin", title=workspace_id, content=workspace_id)
    async with serve(Principal("ann", "other", Role.OWNER)) as other:
        for speaker, workspace_id in ((client, "local"), (other, "other")):
            document_read = (await speaker(DOCUMENT, id="doc_twin"))["document"]
            assert document_read["title"] == workspace_id
            assert document_read["markdown"] == f"# {workspace_id}\n\n{workspace_id}\n"
            assert (await speaker(AROUND_A_SECTION, id="sec_twin"))["section"]["documents"]["edges"] == [
                {"node": {"id": "doc_twin"}}
            ]
        assert await code(other, REMOVE_SECTION, docId="doc_twin", sectionId="sec_twin") == "None"
        assert await section_ids(other, "doc_twin") == []
        assert await section_ids(client, "doc_twin") == ["sec_twin"]
