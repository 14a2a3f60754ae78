"""People: an export has everything that a user wrote, and after an erasure no table holds their text or their id."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Text, cast, func, select

from db import people as traces
from db.connection.database import Database
from db.models import Base, User
from db.principals import Principal, Role
from db.store import Store
from services import people
from services.outcomes import Forbidden
from tests.api.operations import create_document, create_section, edit, edit_document, ensure_chat, post_message
from tests.api.test_api_keys import create_key
from tests.api.test_audit import acts, listed
from tests.api.test_grants import grant, roles, set_access
from tests.api.test_share_links import create_link, links
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.invariants import violations

ERASE = """
mutation ($userId: ID!) {
  eraseUser(userId: $userId) {
    __typename
    ... on EraseUserSuccess {
      user { id }
      messageCount documentCount sectionCount chatCount grantCount shareLinkCount apiKeyCount auditEntryCount
      revisionCount
    }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
  }
}
"""

MESSAGES = "query ($id: ID!) { chatSession(id: $id) { messages(first: 50) { edges { node { seq content author { id } clientId } } } } }"  # noqa: E501

CANARY = "canary7f3a"
"""What everything of the erased user holds: their id, name, avatar, texts and client ids."""

pytestmark = pytest.mark.slow

OWNER = Principal("olga", "local", Role.OWNER)
PERSON = Principal(f"{CANARY}-id", "local", Role.OWNER)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "STRETCH", 2)
    monkeypatch.setattr(traces, "ROWS", 2)


@pytest.fixture
async def owner(serve: Serve) -> AsyncIterator[Client]:
    async with serve(OWNER) as client:
        yield client


@pytest.fixture
async def chat(serve: Serve, owner: Client, database: Database) -> str:
    """Make a chat in which the person wrote to others, and whatever else names them, in rows among those of others."""
    await factories.add(
        database,
        User(workspace_id="local", id=PERSON.user_id, name=f"{CANARY} name", avatar_url=f"https://a.example/{CANARY}"),
    )
    theirs = await create_document(owner, "Ours")
    section = await create_section(owner, theirs)
    chat = await ensure_chat(owner, theirs, section)
    async with serve(PERSON) as person, serve(Principal("rita", "local", Role.READER)) as rita:
        for number in range(3):
            await post_message(owner, chat, f"Question {number}", clientId=f"q{number}")
            await post_message(person, chat, f"{CANARY} text {number}", clientId=f"{CANARY}-{number}")
        document = await create_document(person, "A title")
        section = await create_section(person, document)
        await ensure_chat(person, document, section)
        for number in range(2):
            await edit(person, section, {"content": f"Text {number}"}, summary=f"{CANARY} reason {number}")
            await edit_document(person, document, {"tags": [f"{number}"]}, summary=f"{CANARY} reason {number}")
        await create_key(person, name=f"{CANARY} key")
        await create_link(person, theirs)
        await grant(person, theirs, "bob")
        await set_access(person, theirs, "RESTRICTED")
        await grant(owner, theirs, PERSON.user_id, "EDITOR")
        await create_key(rita)
    async with serve(Principal(PERSON.user_id, "local", Role.READER)) as lower:
        await create_key(lower)  # refused
    return chat


async def erase(client: Client, user_id: str) -> dict[str, Any]:
    erased: dict[str, Any] = (await client(ERASE, userId=user_id))["eraseUser"]
    return erased


async def held(database: Database, word: str) -> list[str]:
    """Return the columns of all tables that hold a word, as text or within JSON."""
    found = []
    async with database.read() as session:
        for table in Base.metadata.sorted_tables:
            for column in table.c:
                has_word = func.instr if database.dialect == "sqlite" else func.strpos
                holding = select(func.count()).select_from(table).where(has_word(cast(column, Text()), word) > 0)
                if await session.scalar(holding):
                    found.append(f"{table.name}.{column.name}")
    return found


async def exported(database: Database, principal: Principal, user_id: str) -> dict[str, Any]:
    """Export a user, and return what the lists hold."""
    export = await people.export_user(Store(database, principal), user_id)
    assert not isinstance(export, Forbidden)
    found: dict[str, Any] = {"user": export.user}
    async for name, records in export.lists:
        found[name] = [record async for record in records]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


async def test_after_an_erasure_no_table_holds_the_text_or_the_id(owner: Client, chat: str, database: Database) -> None:
    assert set(await held(database, CANARY)) == {
        "api_keys.created_by",
        "api_keys.name",
        "audit_entries.actor",
        "audit_entries.details",
        "chat_sessions.created_by",
        "document_revisions.change_summary",
        "document_revisions.edited_by",
        "documents.change_summary",
        "documents.created_by",
        "documents.edited_by",
        "grants.granted_by",
        "grants.user_id",
        "messages.author",
        "messages.client_id",
        "messages.content",
        "section_revisions.change_summary",
        "section_revisions.edited_by",
        "sections.change_summary",
        "sections.created_by",
        "sections.edited_by",
        "share_links.created_by",
        "users.avatar_url",
        "users.id",
        "users.name",
    }
    erased = await erase(owner, PERSON.user_id)
    assert await held(database, CANARY) == []
    pseudonym = erased.pop("user")["id"]
    assert pseudonym.startswith("user_erased_")
    assert erased == {
        "__typename": "EraseUserSuccess",
        "messageCount": 3,
        "documentCount": 1,
        "sectionCount": 1,
        "chatCount": 1,
        "grantCount": 2,
        "shareLinkCount": 1,
        "apiKeyCount": 1,
        # Key, link, grant, access and the refusal of theirs, and the grant of the owner to them.
        "auditEntryCount": 6,
        # Two of the section, and of the document two and that without the section.
        "revisionCount": 5,
    }
    receipt, *_ = await listed(owner)
    assert (receipt["action"], receipt["subjectId"], receipt["actor"]) == ("ERASE_USER", pseudonym, {"id": "user_olga"})
    assert receipt["details"]["messageCount"] == 3
    assert await violations(database) == []


async def test_the_messages_of_others_stay_and_the_numbers_too(owner: Client, chat: str) -> None:
    pseudonym = (await erase(owner, f"user_{PERSON.user_id}"))["user"]["id"]
    edges = (await owner(MESSAGES, id=chat))["chatSession"]["messages"]["edges"]
    assert [edge["node"] for edge in edges] == [
        {"seq": 2 * number + place, "content": content, "author": {"id": author}, "clientId": client_id}
        for number in range(3)
        for place, content, author, client_id in (
            (1, f"Question {number}", "user_olga", f"q{number}"),
            (2, "", pseudonym, None),
        )
    ]


async def test_what_gave_rights_is_gone_and_what_belongs_to_the_workspace_stays(
    owner: Client, chat: str, database: Database
) -> None:
    await erase(owner, PERSON.user_id)
    found = await owner(
        """{
        apiKeys { edges { node { name createdBy { id } revokedAt } } }
        documents { edges { node { id title createdBy { id } } } }
        }"""
    )
    (key,) = [edge["node"] for edge in found["apiKeys"]["edges"]]
    assert (key["name"], key["revokedAt"] is not None) == ("Erased", True)
    theirs, ours = [edge["node"] for edge in found["documents"]["edges"]]
    assert theirs["title"] == "A title"
    assert theirs["createdBy"] == key["createdBy"]
    assert await roles(owner, ours["id"]) == {"user_bob": "COMMENTER"}
    (link,) = [edge["node"] for edge in (await links(owner, ours["id"]))["edges"]]
    assert link["revokedAt"] is not None
    async with database.read() as session:
        users = (await session.execute(select(User.name, User.avatar_url, User.named_at))).all()
    assert [tuple(row) for row in users] == [("Erased user", None, None)]


async def test_an_erasure_that_is_interrupted_is_continued_by_the_next(
    owner: Client, chat: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    for _ in range(50):
        clock = iter([0.0, 0.0, *[100.0] * 1000])  # the start, one portion, and then too late
        with monkeypatch.context() as patched:
            patched.setattr(people, "monotonic", lambda clock=clock: next(clock))
            ended.append((await erase(owner, PERSON.user_id))["__typename"])
        assert await violations(database) == []
        if ended[-1] == "EraseUserSuccess":
            break
    assert len(ended) > 5
    assert set(ended[:-1]) == {"TemporarilyUnavailable"}
    assert await held(database, CANARY) == []


async def test_an_erasure_can_be_repeated_and_finds_nothing(owner: Client, chat: str, database: Database) -> None:
    await erase(owner, PERSON.user_id)
    again = await erase(owner, PERSON.user_id)
    assert [value for name, value in again.items() if name.endswith("Count")] == [0] * 9
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 1


async def test_owners_can_erase_themselves(serve: Serve, owner: Client, chat: str, database: Database) -> None:
    async with serve(PERSON) as person:
        erased = await erase(person, PERSON.user_id)
    assert await held(database, CANARY) == []
    assert (await listed(owner))[0]["actor"] == erased["user"]


@pytest.mark.parametrize(
    "role",
    [*(pytest.param(role, marks=pytest.mark.thorough) for role in (Role.READER, Role.COMMENTER)), Role.EDITOR, None],
)
async def test_only_owners_erase(serve: Serve, owner: Client, chat: str, database: Database, role: Role | None) -> None:
    before = await held(database, CANARY)
    async with serve(Principal(PERSON.user_id, "local", role)) as person:
        assert (await erase(person, PERSON.user_id))["code"] == "FORBIDDEN"
    assert await held(database, CANARY) == before
    assert (await acts(owner, actor=PERSON.user_id))[-1][1:] == ("ERASE_USER", "FORBIDDEN")


@pytest.mark.parametrize("user_id", ["", " ", "x" * 201, "a\0b"])
async def test_what_is_no_user_is_named(owner: Client, user_id: str) -> None:
    assert (await erase(owner, user_id))["code"] == "INVALID_INPUT"


async def test_another_workspace_stays_as_it_is(serve: Serve, chat: str, database: Database) -> None:
    await factories.workspace(database, "other")
    before = await held(database, CANARY)
    async with serve(Principal("olga", "other", Role.OWNER)) as other:
        erased = await erase(other, PERSON.user_id)
    assert erased["messageCount"] == 0
    assert await held(database, CANARY) == before


async def test_an_export_has_everything_that_a_user_wrote(owner: Client, chat: str, database: Database) -> None:
    found = await exported(database, OWNER, PERSON.user_id)
    assert {name: len(records) for name, records in found.items()} == {
        "user": 4,
        "messages": 3,
        "documents": 1,
        "sections": 1,
        "documentRevisions": 3,
        "sectionRevisions": 2,
        "chats": 1,
        "grants": 2,
        "shareLinks": 1,
        "apiKeys": 1,
        "auditEntries": 7,  # this export too
    }
    assert found["user"] == {
        "id": f"user_{PERSON.user_id}",
        "name": f"{CANARY} name",
        "avatarUrl": f"https://a.example/{CANARY}",
        "kind": "PERSON",
    }
    assert [message["content"] for message in found["messages"]] == [f"{CANARY} text {number}" for number in range(3)]
    message = found["messages"][0]
    assert (message["chatId"], message["seq"], message["clientId"]) == (chat, 2, f"{CANARY}-0")
    assert message["sectionId"].startswith("sec_")
    assert message["docId"].startswith("doc_")
    assert message["createdAt"].endswith("Z")
    assert [document["title"] for document in found["documents"]] == ["A title"]
    assert {record["role"] for record in found["grants"]} == {"COMMENTER", "EDITOR"}
    assert not any("digest" in record for records in found.values() for record in records)


@pytest.mark.parametrize("role", [pytest.param(Role.READER, marks=pytest.mark.thorough), Role.EDITOR, None])
async def test_owners_and_the_person_may_export(
    owner: Client, chat: str, database: Database, role: Role | None
) -> None:
    own = await exported(database, Principal(PERSON.user_id, "local", role), PERSON.user_id)
    assert len(own["messages"]) == 3
    other = Store(database, Principal("ann", "local", role))
    assert isinstance(await people.export_user(other, PERSON.user_id), Forbidden)
    assert await acts(owner, action="EXPORT_USER") == [
        (f"user_{PERSON.user_id}", "EXPORT_USER", "DONE"),
        ("user_ann", "EXPORT_USER", "FORBIDDEN"),
    ]


async def test_an_unknown_user_has_an_empty_export(owner: Client, database: Database) -> None:
    found = await exported(database, OWNER, "nobody")
    assert found.pop("user") == {"id": "user_nobody", "name": None, "avatarUrl": None, "kind": None}
    assert [len(records) for name, records in found.items() if name != "auditEntries"] == [0] * 9
