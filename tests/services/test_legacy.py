"""Legacy files: kept as they are, healed by an ensure or by the doctor, and nothing is lost or doubled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from db.connection.database import Database
from db.models import ChatSession, Document, Message, Placement, Section
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import legacy, legacy_import
from services.legacy import BadFile
from services.legacy_import import Imported
from tests.api.operations import ENSURE_CHAT, create_section, ensure_chat, post_message, section_ids
from tests.support.client import Client
from tests.support.invariants import violations

SAMPLE = Path(__file__).parents[2] / "docs" / "legacy-sample.json"

MESSAGES = """
query ($id: ID!) {
  chatSession(id: $id) {
    messageCount
    messages(first: 100) { edges { node { id seq role author { id } content clientId createdAt } } }
  }
}
"""

REPAIR = "mutation { repair { ... on Examination { hasMore findings { rule ids } } } }"
DOCTOR = "query { doctor { ... on Examination { hasMore findings { rule ids } } } }"


async def take_in(database: Database, file: Any) -> Imported:
    source = file if isinstance(file, bytes) else json.dumps(file).encode()
    return await legacy_import.import_file(Store(database, LOCAL_OWNER), legacy.read(source))


async def count(database: Database, kind: Any) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(kind)) or 0


async def said(client: Client, chat_id: str) -> list[tuple[int, str]]:
    """Read a chat as a client does: the numbers and the texts."""
    chat = (await client(MESSAGES, id=chat_id))["chatSession"]
    nodes = [edge["node"] for edge in chat["messages"]["edges"]]
    assert chat["messageCount"] == len(nodes)
    return [(node["seq"], node["content"]) for node in nodes]


def small(**changes: Any) -> dict[str, Any]:
    """Return a file with a document of two sections, of which the first has a chat of two messages."""
    file: dict[str, Any] = {
        "documents": [{"id": "d", "section_ids": ["a", "b"]}],
        "sections": [{"id": "a", "chat_session_id": "one"}, {"id": "b"}],
        "chat_sessions": [{"id": "one", "section_id": "a", "created_at": "2024-01-01T00:00:00"}],
        "messages": [said_at("one", 1), said_at("one", 2)],
    }
    return {**file, **changes}


def said_at(chat: str, minute: int, **values: Any) -> dict[str, Any]:
    time = f"2024-01-01T00:{minute:02}:00"
    return {
        "id": f"{chat}-{minute}",
        "chat_session_id": chat,
        "content": f"{chat} {minute}",
        "created_at": time,
        **values,
    }


async def test_the_sample_is_taken_in_as_the_documentation_says(client: Client, database: Database) -> None:
    imported = await take_in(database, SAMPLE.read_bytes())
    assert imported.new == {"documents": 2, "sections": 3, "placements": 4, "chats": 2, "messages": 5}
    assert (imported.skipped.total(), imported.merged_chats, imported.pointers_left) == (0, 1, 2)
    assert await section_ids(client, "doc_handbook") == ["sec_welcome", "sec_rules", "sec_42"]
    assert await said(client, "chat_c-2") == [(1, "What rules?"), (2, "Too strict."), (3, "These.")]
    (first, second) = (await client(MESSAGES, id="chat_c-1"))["chatSession"]["messages"]["edges"]
    assert first["node"] == {
        "id": "msg_1",
        "seq": 1,
        "role": "USER",
        "author": {"id": "user_ann"},
        "content": "Is this polite?",
        "clientId": None,
        "createdAt": "2023-05-01T10:01:00.000000Z",
    }
    assert (second["node"]["role"], second["node"]["author"]) == ("ASSISTANT", {"id": "user_assistant"})
    async with database.read() as session:
        drafts = await session.scalar(select(Document).where(Document.id == "doc_drafts"))
    assert drafts is not None
    assert drafts.deleted_at is not None
    assert (drafts.deleted_at.isoformat(), drafts.created_at.isoformat()) == (
        "2024-01-31T12:00:00+00:00",
        "2023-04-02T07:00:00+00:00",
    )
    assert {finding.split(maxsplit=1)[0] for finding in await violations(database)} == {"NO_WRONG_CHAT_POINTER"}


@pytest.mark.parametrize("heal", ["ensure", "repair"])
@pytest.mark.parametrize(
    ("state", "rules", "answer"),
    [
        ("pointer to nothing, and a chat", ["NO_WRONG_CHAT_POINTER"], "REPAIRED"),
        ("pointer to nothing, and no chat", ["NO_WRONG_CHAT_POINTER"], "CREATED"),
        ("pointer to the chat of another section, and a chat", ["NO_WRONG_CHAT_POINTER"], "REPAIRED"),
        ("pointer to the chat of another section, and no chat", ["NO_WRONG_CHAT_POINTER"], "CREATED"),
        ("chat without pointer", ["NO_MISSING_CHAT_POINTER"], "REPAIRED"),
        ("section in the trash", ["NO_WRONG_CHAT_POINTER"], "SectionNotFound"),
        ("document in the trash", ["NO_WRONG_CHAT_POINTER"], "DocumentNotFound"),
        ("two chats, and a pointer to the newer", ["NO_WRONG_CHAT_POINTER"], "REPAIRED"),
        ("two chats, and a pointer to the older", [], "FOUND"),
    ],
)
async def test_every_broken_state_is_named_and_healed(
    client: Client, database: Database, state: str, rules: list[str], answer: str, heal: str
) -> None:
    """The faults of our table: as the rules of ensure say, and then nothing is found any more."""
    await take_in(database, BROKEN[state](small()))
    messages = await count(database, Message)
    told = (await client(DOCTOR))["doctor"]["findings"]
    assert [finding["rule"] for finding in told] == rules
    assert all("sec_a" in finding["ids"] for finding in told)

    if heal == "repair":
        assert (await client(REPAIR))["repair"]["findings"] == told
        # An ensure finds then what it would have repaired.
        answer = answer.replace("REPAIRED", "FOUND")
    ensured = (await client(ENSURE_CHAT, docId="doc_d", sectionId="sec_a"))["ensureSectionChat"]
    assert (ensured.get("ensured") or ensured["__typename"]) == answer
    if "trash" not in state or heal == "repair":
        assert (await client(DOCTOR))["doctor"] == {"hasMore": False, "findings": []}
        assert await violations(database) == []
    if answer == "FOUND":
        assert ensured["id"] == "chat_one"

    assert await count(database, Message) == messages
    if "two chats" in state:
        assert await said(client, "chat_one") == [(1, "one 1"), (2, "two 1"), (3, "one 2"), (4, "two 3")]


def _section(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda file: {
        **file,
        "sections": [{"id": "a", **values}, {"id": "b", "chat_session_id": "of-b"}],
        **_of_b(file),
    }


def _of_b(file: dict[str, Any]) -> dict[str, Any]:
    chats = [*file["chat_sessions"], {"id": "of-b", "section_id": "b", "created_at": "2024-01-01T00:00:00"}]
    return {"chat_sessions": chats, "messages": [*file["messages"], said_at("of-b", 1)]}


def _without_chat(pointer: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(file: dict[str, Any]) -> dict[str, Any]:
        return _section(chat_session_id=pointer)({**file, "chat_sessions": [], "messages": []})

    return change


def _trashed(file: dict[str, Any]) -> dict[str, Any]:
    (document,) = file["documents"]
    return _section(chat_session_id="gone")({**file, "documents": [{**document, "deleted_at": "2024-02-01"}]})


def _two_chats(pointer: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(file: dict[str, Any]) -> dict[str, Any]:
        # Of the same time: then the smaller id is kept.
        newer = {"id": "two", "section_id": "a", "created_at": "2024-01-01T00:00:00Z"}
        return {
            **file,
            "sections": [{"id": "a", "chat_session_id": pointer}, {"id": "b"}],
            "chat_sessions": [newer, *file["chat_sessions"]],
            "messages": [*file["messages"], said_at("two", 3), said_at("two", 1)],
        }

    return change


BROKEN: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "pointer to nothing, and a chat": _section(chat_session_id="gone"),
    "pointer to nothing, and no chat": _without_chat("gone"),
    "pointer to the chat of another section, and a chat": _section(chat_session_id="of-b"),
    "pointer to the chat of another section, and no chat": _without_chat("of-b"),
    "chat without pointer": _section(),
    "section in the trash": _section(chat_session_id="gone", deleted_at="2024-02-01T00:00:00Z"),
    "document in the trash": _trashed,
    "two chats, and a pointer to the newer": _two_chats("two"),
    "two chats, and a pointer to the older": _two_chats("one"),
}


async def test_a_file_that_is_imported_twice_doubles_nothing(client: Client, database: Database) -> None:
    """Not even after it was healed, talked in and arranged anew: what is there stays as it is."""
    file = BROKEN["two chats, and a pointer to the newer"](small())
    first = await take_in(database, file)
    assert (first.new["chats"], first.merged_chats) == (1, 1)
    chat = await ensure_chat(client, "doc_d", "sec_a")
    await post_message(client, chat, "And now?")
    await create_section(client, "doc_d")
    kinds = (Document, Section, Placement, ChatSession, Message)
    before = [await count(database, kind) for kind in kinds]

    again = await take_in(database, file)

    assert again.new.total() == again.merged_chats == again.pointers_left == 0
    assert again.skipped == {"documents": 1, "sections": 2, "placements": 2, "chats": 2, "messages": 4}
    assert [await count(database, kind) for kind in kinds] == before
    assert (await said(client, chat))[-1] == (5, "And now?")
    assert await violations(database) == []


async def test_what_is_new_in_a_file_is_added_behind_what_was_said(client: Client, database: Database) -> None:
    """Numbers that somebody has seen do not change: the order of time holds within what is new."""
    await take_in(database, small())
    await post_message(client, "chat_one", "And now?")
    late = {"id": "late", "section_id": "a", "created_at": "2023-01-01T00:00:00"}
    grown = small(
        chat_sessions=[*small()["chat_sessions"], late],
        messages=[said_at("late", 9), *small()["messages"], said_at("one", 0), said_at("late", 0)],
        documents=[*small()["documents"], {"id": "e", "section_ids": ["b"]}],
    )
    imported = await take_in(database, grown)
    assert imported.new == {"documents": 1, "placements": 1, "messages": 3}
    assert imported.merged_chats == 1
    words = ["one 1", "one 2", "And now?", "one 0", "late 0", "late 9"]
    assert await said(client, "chat_one") == list(enumerate(words, 1))
    assert await section_ids(client, "doc_e") == ["sec_b"]
    assert await violations(database) == []


async def test_a_chat_that_was_opened_meanwhile_stays_and_takes_the_messages(
    client: Client, database: Database
) -> None:
    await take_in(database, small(chat_sessions=[], messages=[], sections=[{"id": "a"}, {"id": "b"}]))
    chat = await ensure_chat(client, "doc_d", "sec_a")
    await post_message(client, chat, "First!", clientId="x")
    imported = await take_in(
        database, small(messages=[said_at("one", 1, author="local", client_id="x"), said_at("one", 2)])
    )
    assert (imported.new["chats"], imported.merged_chats, imported.client_ids_dropped) == (0, 1, 1)
    assert await said(client, chat) == [(1, "First!"), (2, "one 1"), (3, "one 2")]
    assert await violations(database) == []


async def test_client_ids_that_collide_are_taken_from_the_later_message(client: Client, database: Database) -> None:
    file = BROKEN["two chats, and a pointer to the older"](small())
    for message in file["messages"]:
        message.update(author="ann", client_id="x")
    imported = await take_in(database, file)
    assert imported.client_ids_dropped == 3
    nodes = [edge["node"] for edge in (await client(MESSAGES, id="chat_one"))["chatSession"]["messages"]["edges"]]
    assert [(node["content"], node["clientId"]) for node in nodes] == [
        ("one 1", "x"),
        ("two 1", None),
        ("one 2", None),
        ("two 3", None),
    ]


async def test_a_chat_of_a_document_that_nobody_knows_is_kept_without_it(client: Client, database: Database) -> None:
    chat = {"id": "one", "section_id": "a", "document_id": "lost", "created_at": "2024-01-01T00:00:00"}
    imported = await take_in(database, small(chat_sessions=[chat]))
    assert imported.documents_forgotten == 1
    assert len(await said(client, "chat_one")) == 2
    assert await violations(database) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"chat_sessions": [{"id": "one", "section_id": "x", "created_at": "2024-01-01"}]},
            "chat_sessions[0].section_id: there is no section sec_x",
        ),
        ({"messages": [said_at("two", 1)]}, "messages[0].chat_session_id: there is no chat chat_two"),
        (
            {"documents": [{"id": "e", "section_ids": ["a", "x"]}]},
            "documents[0].section_ids[1]: there is no section sec_x",
        ),
        ({"messages": [said_at("one", 1, content="Other")]}, "messages[0].id: msg_one-1 is another message already"),
        (
            {"chat_sessions": [{"id": "one", "section_id": "b", "created_at": "2024-01-01"}]},
            "chat_sessions[0].id: chat_one is the chat of sec_a already",
        ),
    ],
)
async def test_what_would_be_lost_is_refused_with_its_place_and_nothing_is_written(
    database: Database, changes: dict[str, Any], problem: str
) -> None:
    await take_in(database, small())
    kinds = (Document, Section, Placement, ChatSession, Message)
    before = [await count(database, kind) for kind in kinds]
    file = {**small(messages=[]), "sections": [{"id": "new"}], **changes}
    with pytest.raises(BadFile) as refused:
        await take_in(database, file)
    assert problem in refused.value.problems
    assert [await count(database, kind) for kind in kinds] == before
