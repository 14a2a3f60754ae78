"""Who may see and do what: reads, lists, counts and ensures agree with the rule, for every kind of principal."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from db.connection.database import Database
from db.models import ChatSession, Document, Grant, Message, Section
from db.principals import Principal, Role
from tests.api.operations import ENSURE_CHAT, PLACE_SECTION, POST_MESSAGE, create_document, create_section
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.counting import counted
from tests.support.rights import Rights

TRASHED = datetime(2026, 1, 1, tzinfo=UTC)

DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "open": {},
    "restricted": {"access": "RESTRICTED"},
    "hers": {"access": "RESTRICTED", "created_by": "ann"},
    "granted_to_read": {"access": "RESTRICTED"},
    "granted_to_edit": {"access": "RESTRICTED"},
    "raised": {},
    "trashed": {"deleted_at": TRASHED},
    "restricted_and_trashed": {"access": "RESTRICTED", "deleted_at": TRASHED},
}
GRANTS = {"granted_to_read": Role.READER, "granted_to_edit": Role.EDITOR, "raised": Role.EDITOR}
"""The roles granted to Ann."""

SECTIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"in_{name}": {"documents": [name]} for name in DOCUMENTS},
    "shared": {"documents": ["restricted", "granted_to_read"]},
    "published": {"documents": ["restricted", "open"]},
    "never_placed": {"documents": []},
    "removed_from_restricted": {"documents": [], "removed_from": "restricted"},
    "removed_from_hers": {"documents": [], "removed_from": "hers"},
    "removed_from_purged": {"documents": [], "removed_from": "purged"},
    "moved": {"documents": ["open"], "removed_from": "restricted"},
    "binned": {"documents": ["open"], "deleted_at": TRASHED},
}

ANN = {role: Principal("ann", "local", role) for role in (*Role, None)}
BOB = {role: Principal("bob", "local", role) for role in (*Role, None)}
GUEST = Principal("guest", "local", None, documents={"doc_restricted": Role.COMMENTER})
CLERK = Principal(
    "ann", "local", None, documents={"doc_open": Role.READER, "doc_hers": Role.EDITOR, "doc_x": Role.EDITOR}
)
STRANGER = Principal("ann", "other", Role.OWNER)

PRINCIPALS = {
    **{f"ann as {role and role.name}": principal for role, principal in ANN.items()},
    **{f"bob as {role and role.name}": principal for role, principal in BOB.items()},
    "a guest": GUEST,
    "a token for two documents": CLERK,
    "another workspace": STRANGER,
}


RIGHTS = Rights(
    "local",
    {f"doc_{name}": values for name, values in DOCUMENTS.items()},
    {
        f"sec_{name}": {
            **values,
            "documents": [f"doc_{each}" for each in values["documents"]],
            "removed_from": f"doc_{last}" if (last := values.get("removed_from")) else None,
        }
        for name, values in SECTIONS.items()
    },
    {(f"doc_{name}", "ann"): role for name, role in GRANTS.items()},
)


def role_on_document(principal: Principal, name: str) -> Role | None:
    return RIGHTS.on_document(principal, f"doc_{name}")


def role_on_section(principal: Principal, name: str) -> Role | None:
    """Return the role on a section that is not in the trash."""
    return RIGHTS.on_section(principal, f"sec_{name}") if RIGHTS.sees_section(principal, f"sec_{name}") else None


def sees_document(principal: Principal, name: str) -> bool:
    return RIGHTS.sees_document(principal, f"doc_{name}")


@dataclass
class World:
    """Documents and sections of every kind, each section with a chat and a message."""

    documents: dict[str, Document] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    chats: dict[str, ChatSession] = field(default_factory=dict)


@pytest.fixture
async def world(database: Database) -> World:
    await factories.workspace(database, "other")
    made = World()
    for name, values in DOCUMENTS.items():
        made.documents[name] = await factories.document(database, **{"id": f"doc_{name}", **values})
    for name, role in GRANTS.items():
        await factories.add(
            database,
            Grant(workspace_id="local", document_id=f"doc_{name}", user_id="ann", role=role, granted_by="somebody"),
        )
    for name, values in SECTIONS.items():
        given = dict(values)
        standing = given.pop("documents")
        if last := given.pop("removed_from", None):
            given["removed_from"] = f"doc_{last}"
        section = await factories.section(database, id=f"sec_{name}", **given)
        for document in standing:
            await factories.place(database, made.documents[document], section, f"a{name}")
        made.sections[name] = section
        chat = await factories.chat(database, section, id=f"chat_{name}", last_seq=1, document_id="doc_restricted")
        await factories.add(
            database,
            Message(
                workspace_id="local", id=f"msg_{name}", chat_id=chat.id, seq=1, role="USER", author="x", content="Hi"
            ),
        )
        made.chats[name] = chat
    return made


Everybody = AsyncIterator[tuple[str, Principal, Client]]

BY_ID = """
query ($document: ID!, $section: ID!, $chat: ID!, $ids: [ID!]!) {
  document(id: $document) { id }
  section(id: $section) { id }
  chatSession(id: $chat) { id }
  nodes(ids: $ids) { id }
}
"""

LIST = "{ documents(first: 100) { totalCount edges { node { id viewerRole } } } }"

DOCUMENTS_OF = """
query ($id: ID!) {
  section(id: $id) {
    viewerRole viewerCan { comment edit useTrash purge }
    documents { totalCount edges { node { id } } }
    chat { id viewerRole document { id } messages { edges { node { id chat { id } } } } }
  }
}
"""


@pytest.fixture
async def everybody(serve: Serve, world: World) -> AsyncIterator[Everybody]:
    """Give one principal after the other, by name, with a client that asks as that one."""
    asking = STRANGER

    async def each(client: Client) -> Everybody:
        nonlocal asking
        for who, principal in PRINCIPALS.items():
            asking = principal
            yield who, principal, client

    async with serve(who=lambda: asking) as client:
        yield each(client)


@pytest.mark.slow
async def test_each_principal_sees_what_the_rule_says_and_nothing_else(everybody: Everybody) -> None:
    async for who, principal, client in everybody:
        for name in DOCUMENTS:
            found = await client(
                BY_ID, document=f"doc_{name}", section=f"sec_in_{name}", chat=f"chat_in_{name}", ids=[f"doc_{name}"]
            )
            assert (found["document"] is not None) == sees_document(principal, name), (who, name)
            assert (found["nodes"][0] is not None) == sees_document(principal, name), (who, name)
        for name in SECTIONS:
            ids = [f"sec_{name}", f"chat_{name}", f"msg_{name}"]
            found = await client(BY_ID, document="doc_x", section=ids[0], chat=ids[1], ids=ids)
            expected = role_on_section(principal, name) is not None
            shown = [found["section"], found["chatSession"], *found["nodes"]]
            assert [each is not None for each in shown] == [expected] * 5, (who, name)
        listed = (await client(LIST))["documents"]
        expected_documents = {
            f"doc_{name}": role_on_document(principal, name) for name in DOCUMENTS if sees_document(principal, name)
        }
        roles = {edge["node"]["id"]: Role[edge["node"]["viewerRole"]] for edge in listed["edges"]}
        assert roles == expected_documents, who
        assert listed["totalCount"] == len(expected_documents), who


async def test_what_lies_around_a_section_is_seen_by_the_same_rule(everybody: Everybody) -> None:
    async for who, principal, client in everybody:
        for name in SECTIONS:
            role = role_on_section(principal, name)
            section = (await client(DOCUMENTS_OF, id=f"sec_{name}"))["section"]
            if role is None:
                assert section is None, (who, name)
                continue
            seen = {f"doc_{each}" for each in SECTIONS[name]["documents"] if sees_document(principal, each)}
            assert {edge["node"]["id"] for edge in section["documents"]["edges"]} == seen, (who, name)
            assert section["documents"]["totalCount"] == len(seen), (who, name)
            assert section["viewerRole"] == section["chat"]["viewerRole"] == role.name, (who, name)
            assert section["viewerCan"] == {
                "comment": role >= Role.COMMENTER,
                "edit": role >= Role.EDITOR,
                "useTrash": role >= Role.EDITOR,
                "purge": role >= Role.OWNER,
            }, (who, name)
            through = section["chat"]["document"]
            assert (through is not None) == sees_document(principal, "restricted"), (who, name)
            assert [edge["node"]["chat"]["id"] for edge in section["chat"]["messages"]["edges"]] == [f"chat_{name}"]


def outcome_of_ensure(principal: Principal, document: str, section: str, *, has_chat: bool) -> str:
    return RIGHTS.outcome_of_ensure(principal, f"doc_{document}", f"sec_{section}", has_chat=has_chat)


async def code(client: Client, operation: str, **variables: Any) -> str:
    (answer,) = (await client(operation, **variables)).values()
    return str(answer.get("code", "a chat"))


@pytest.mark.slow
async def test_an_ensure_of_a_chat_that_is_there_follows_the_rules_in_their_order(everybody: Everybody) -> None:
    async for who, principal, client in everybody:
        for document in DOCUMENTS:
            for section in SECTIONS:
                found = await code(client, ENSURE_CHAT, docId=f"doc_{document}", sectionId=f"sec_{section}")
                expected = outcome_of_ensure(principal, document, section, has_chat=True)
                assert found == expected, (who, document, section)


async def test_an_ensure_that_opens_nothing_follows_the_rules_in_their_order(
    everybody: Everybody, database: Database
) -> None:
    async with database.begin() as session:
        for kind in (Message, ChatSession):
            await session.execute(kind.__table__.delete())  # type: ignore[attr-defined]
    async for who, principal, client in everybody:
        for document in DOCUMENTS:
            for section in ("in_open", "shared"):
                expected = outcome_of_ensure(principal, document, section, has_chat=False)
                if expected != "a chat":
                    found = await code(client, ENSURE_CHAT, docId=f"doc_{document}", sectionId=f"sec_{section}")
                    assert found == expected, (who, document, section)


async def test_a_hidden_object_answers_and_costs_as_a_missing_one(serve: Serve, world: World) -> None:
    async with serve(BOB[Role.EDITOR]) as client:
        hidden: list[object] = []
        missing: list[object] = []
        for seen, ids in (
            (hidden, {"doc": "doc_restricted", "sec": "sec_in_restricted", "chat": "chat_in_restricted"}),
            (missing, {"doc": "doc_missing", "sec": "sec_missing", "chat": "chat_missing"}),
        ):
            for operation, variables in (
                (ENSURE_CHAT, {"docId": ids["doc"], "sectionId": "sec_in_open"}),
                (ENSURE_CHAT, {"docId": "doc_open", "sectionId": ids["sec"]}),
                (PLACE_SECTION, {"docId": "doc_open", "sectionId": ids["sec"]}),
                (PLACE_SECTION, {"docId": ids["doc"], "sectionId": "sec_in_open"}),
                (POST_MESSAGE, {"chatId": ids["chat"], "content": "Hi"}),
            ):
                with counted(client.database) as statements:
                    answer = await client(operation, **variables)
                shown = str(answer)
                for name, other in ids.items():
                    shown = shown.replace(other, name)
                seen.append((shown, list(statements)))
        assert hidden == missing


async def test_a_section_that_is_only_read_cannot_be_published(serve: Serve, world: World) -> None:
    async with serve(ANN[Role.READER]) as client:
        hers = {"docId": "doc_hers"}
        assert await code(client, PLACE_SECTION, **hers, sectionId="sec_in_granted_to_read") == "FORBIDDEN"
        assert await code(client, PLACE_SECTION, **hers, sectionId="sec_in_open") == "FORBIDDEN"
        assert await code(client, PLACE_SECTION, **hers, sectionId="sec_in_granted_to_edit") == "a chat"


async def test_a_section_removed_from_a_restricted_document_stays_with_its_readers(serve: Serve) -> None:
    async with serve(ANN[Role.EDITOR]) as ann, serve(BOB[Role.EDITOR]) as bob, serve() as owner:
        document = await create_document(ann)
        section = await create_section(ann, document)
        async with owner.database.begin() as session:
            await session.execute(Document.__table__.update().values(access="RESTRICTED"))  # type: ignore[attr-defined]
        await ann(
            "mutation ($d: ID!, $s: ID!) { removeSection(docId: $d, sectionId: $s) { __typename } }",
            d=document,
            s=section,
        )
        for client, sees in ((ann, True), (bob, False), (owner, True)):
            found = await client("query ($id: ID!) { section(id: $id) { id } }", id=section)
            assert (found["section"] is not None) == sees


CREATE = """
mutation ($id: ID, $access: DocumentAccess) {
  createDocument(title: "A", id: $id, access: $access) {
    ... on CreateDocumentSuccess { document { id access viewerRole } }
    ... on Error { code }
  }
}
"""

IMPORT = """
mutation ($access: DocumentAccess) {
  importDocument(markdown: "# A", access: $access) {
    ... on ImportDocumentSuccess { document { id access viewerRole } }
  }
}
"""


@pytest.mark.parametrize("operation", [CREATE, IMPORT])
async def test_a_document_can_be_made_restricted(serve: Serve, operation: str) -> None:
    async with serve(ANN[Role.EDITOR]) as ann, serve(BOB[Role.EDITOR]) as bob:
        for access, sees in ((None, True), ("WORKSPACE", True), ("RESTRICTED", False)):
            (made,) = (await ann(operation, access=access)).values()
            assert made["document"] == {
                "id": made["document"]["id"],
                "access": access or "WORKSPACE",
                "viewerRole": "EDITOR",
            }
            found = await bob("query ($id: ID!) { document(id: $id) { id } }", id=made["document"]["id"])
            assert (found["document"] is not None) == sees


async def test_a_creation_with_another_access_is_no_retry(serve: Serve) -> None:
    async with serve(ANN[Role.EDITOR]) as ann:
        for access, code in (("RESTRICTED", None), ("RESTRICTED", None), ("WORKSPACE", "ID_TAKEN"), (None, "ID_TAKEN")):
            made = (await ann(CREATE, id="own", access=access))["createDocument"]
            assert made.get("code") == code
