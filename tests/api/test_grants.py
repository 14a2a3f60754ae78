"""Grants and access: editors of a document decide who else may use it."""

from asyncio import gather
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Principal, Role
from tests.api.operations import TRASHED, arguments, create_document, nodes, pages_forward
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.counting import counted

GRANT = """
mutation ($docId: ID!, $userId: ID!, $role: Role! = COMMENTER) {
  grantRole(docId: $docId, userId: $userId, role: $role) {
    __typename
    ... on GrantRoleSuccess {
      grant { id user { id } documentRole createdBy { id } at }
      grantEdge { cursor }
      document { id }
    }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
    ... on Forbidden { subjectId }
    ... on DocumentNotFound { docId }
  }
}
"""

REVOKE = """
mutation ($docId: ID!, $userId: ID!) {
  revokeRole(docId: $docId, userId: $userId) {
    __typename
    ... on RevokeRoleSuccess { grantId user { id } document { id } }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
    ... on Forbidden { subjectId }
    ... on DocumentNotFound { docId }
  }
}
"""

SET_ACCESS = """
mutation ($docId: ID!, $access: DocumentAccess!) {
  setDocumentAccess(docId: $docId, access: $access) {
    __typename
    ... on SetDocumentAccessSuccess { document { id access version updatedAt } }
    ... on Error { code message }
    ... on Forbidden { subjectId }
    ... on DocumentNotFound { docId }
  }
}
"""

GRANTS = """
query ($docId: ID!, $first: Int = 20, $after: String) {
  document(id: $docId) {
    access
    version
    updatedAt
    grants(first: $first, after: $after) {
      totalCount
      edges { cursor node { id user { id } documentRole createdBy { id } at } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""

NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Grant { user { id } documentRole } } }"

ANN = Principal("ann", "local", Role.EDITOR)


async def grant(client: Client, document_id: str, user_id: str, role: str = "COMMENTER") -> dict[str, Any]:
    """Grant a role and return the answer."""
    granted: dict[str, Any] = (await client(GRANT, docId=document_id, userId=user_id, role=role))["grantRole"]
    return granted


async def revoke(client: Client, document_id: str, user_id: str) -> dict[str, Any]:
    revoked: dict[str, Any] = (await client(REVOKE, docId=document_id, userId=user_id))["revokeRole"]
    return revoked


async def set_access(client: Client, document_id: str, access: str) -> dict[str, Any]:
    """Set the access of a document and return the answer."""
    answer: dict[str, Any] = (await client(SET_ACCESS, docId=document_id, access=access))["setDocumentAccess"]
    return answer


async def roles(client: Client, document_id: str) -> dict[str, str]:
    """Read the roles of users on a document."""
    found = (await client(GRANTS, docId=document_id))["document"]["grants"]
    return {each["user"]["id"]: each["documentRole"] for each in nodes([found])}


async def test_a_role_is_granted_and_listed(client: Client) -> None:
    document = await create_document(client)
    granted = await grant(client, document, "user_ann")
    given = granted["grant"]
    assert granted["document"] == {"id": document}
    assert given == {
        "id": f"grant_{document}/ann",
        "user": {"id": "user_ann"},
        "documentRole": "COMMENTER",
        "createdBy": {"id": "user_local"},
        "at": given["at"],
    }
    found = (await client(GRANTS, docId=document))["document"]["grants"]
    assert found["edges"] == [{"cursor": granted["grantEdge"]["cursor"], "node": given}]
    assert found["totalCount"] == 1


async def test_a_grant_replaces_the_role_and_a_retry_changes_nothing(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    await grant(client, document, "bob", "READER")
    async with serve(ANN) as ann:
        raised = await grant(ann, document, "user_bob", "EDITOR")
    assert raised["grant"]["createdBy"] == {"id": "user_ann"}
    # The same role again: the grant stays the one that Ann gave.
    assert await grant(client, document, "bob", "EDITOR") == raised
    assert await roles(client, document) == {"user_bob": "EDITOR"}


@pytest.mark.parametrize("user_id", ["ann", "user_ann", "auth0|5f7c8ec7c33c6c004bbafe82", "Ünal@example.com", "a b"])
async def test_a_user_need_not_be_known(client: Client, user_id: str) -> None:
    document = await create_document(client)
    own_id = user_id if user_id.startswith("user_") else f"user_{user_id}"
    assert (await grant(client, document, user_id))["grant"]["user"]["id"] == own_id
    assert (await revoke(client, document, user_id))["user"]["id"] == own_id
    assert await roles(client, document) == {}


@pytest.mark.parametrize("user_id", ["", "user_", " ", "x" * 201, "a\0b", "a\ud800b"])
async def test_what_is_no_user_is_named(client: Client, user_id: str) -> None:
    document = await create_document(client)
    for answer in (await grant(client, document, user_id), await revoke(client, document, user_id)):
        assert (answer["__typename"], arguments(answer)) == ("InvalidInput", ["userId"])


@pytest.mark.parametrize("document_id", ["doc_a", "doc_notion:1a/b", "doc_%2F", "doc_Ünal"])
@pytest.mark.parametrize("user_id", ["ann", "auth0|5f/7c", "Ünal %"])
async def test_a_grant_is_found_by_its_id(client: Client, document_id: str, user_id: str) -> None:
    await create_document(client, id=document_id)
    grant_id = (await grant(client, document_id, user_id))["grant"]["id"]
    (found,) = (await client(NODES, ids=[grant_id]))["nodes"]
    assert found == {"id": grant_id, "user": {"id": f"user_{user_id}"}, "documentRole": "COMMENTER"}
    for other in ("grant_", "grant_doc_a", f"{grant_id}x", grant_id.replace("a", "%61", 1), f"{grant_id}/", "grant_/a"):
        assert (await client(NODES, ids=[other]))["nodes"] == [None]


async def test_grants_are_found_by_their_ids_with_as_many_statements_for_many(client: Served) -> None:
    documents = [await create_document(client) for _ in range(3)]
    ids = [(await grant(client, document, user))["grant"]["id"] for document in documents for user in ("a", "b")]
    with counted(client.database) as statements:
        found = (await client(NODES, ids=ids))["nodes"]
    assert [node["id"] for node in found] == ids
    assert len(statements) == 2


async def test_grants_at_the_same_moment_leave_one(client: Client) -> None:
    document = await create_document(client)
    granted = await gather(*(grant(client, document, "ann", role) for role in ("READER", "COMMENTER", "EDITOR") * 4))
    assert {answer["__typename"] for answer in granted} == {"GrantRoleSuccess"}
    revoked = await gather(*(revoke(client, document, "ann") for _ in range(4)))
    assert {answer["__typename"] for answer in revoked} == {"RevokeRoleSuccess"}
    assert await roles(client, document) == {}


async def test_nobody_is_made_owner_by_a_grant(client: Client) -> None:
    document = await create_document(client)
    refused = await grant(client, document, "ann", "OWNER")
    assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["role"])


async def test_a_role_is_revoked_and_a_retry_changes_nothing(client: Client) -> None:
    document = await create_document(client)
    await grant(client, document, "ann")
    await grant(client, document, "bob")
    first, again = await revoke(client, document, "ann"), await revoke(client, document, "ann")
    assert (
        first
        == again
        == {
            "__typename": "RevokeRoleSuccess",
            "grantId": f"grant_{document}/ann",
            "user": {"id": "user_ann"},
            "document": {"id": document},
        }
    )
    assert await roles(client, document) == {"user_bob": "COMMENTER"}


async def test_grants_are_paged_by_user(client: Client) -> None:
    document, other = await create_document(client), await create_document(client)
    users = [f"user_{name}" for name in "edcba"]
    for user in users:
        await grant(client, document, user)
    await grant(client, other, "zoe")

    async def read(**page: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await client(GRANTS, docId=document, **page))["document"]["grants"]
        assert found["totalCount"] == 5
        return found

    assert [node["user"]["id"] for node in nodes(await pages_forward(read, 2))] == sorted(users)


async def test_a_document_is_open_until_it_is_restricted(client: Client) -> None:
    document = await create_document(client)
    before = (await client(GRANTS, docId=document))["document"]
    assert before["access"] == "WORKSPACE"
    for _ in range(2):
        restricted = (await set_access(client, document, "RESTRICTED"))["document"]
        # The version stays: who edits the document meanwhile meets no conflict.
        assert restricted == {
            "id": document,
            "access": "RESTRICTED",
            "version": before["version"],
            "updatedAt": before["updatedAt"],
        }
    assert (await set_access(client, document, "WORKSPACE"))["document"]["access"] == "WORKSPACE"


async def test_who_restricts_the_document_of_another_keeps_a_role(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    await grant(client, document, "ann", "READER")
    async with serve(ANN) as ann:
        await set_access(ann, document, "WORKSPACE")
        assert await roles(client, document) == {"user_ann": "READER"}
        await set_access(ann, document, "RESTRICTED")
    assert await roles(client, document) == {"user_ann": "EDITOR"}


async def test_creators_and_owners_need_no_grant(client: Client, serve: Serve) -> None:
    async with serve(ANN) as ann:
        document = await create_document(ann)
        await set_access(ann, document, "RESTRICTED")
        await set_access(ann, document, "WORKSPACE")
    async with serve(Principal("olga", "local", Role.OWNER)) as owner:
        await set_access(owner, document, "RESTRICTED")
    assert await roles(client, document) == {}


async def test_a_document_that_is_restricted_already_gives_no_grant(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    await set_access(client, document, "RESTRICTED")
    await grant(client, document, "ann", "EDITOR")
    async with serve(ANN) as ann:
        await set_access(ann, document, "RESTRICTED")
        await revoke(client, document, "ann")
    assert await roles(client, document) == {}


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_who_may_not_edit_a_document_may_not_share_it(client: Client, serve: Serve, role: Role) -> None:
    document = await create_document(client)
    await grant(client, document, "bob")
    async with serve(Principal("bob", "local", role)) as bob:
        answers = [
            await grant(bob, document, "bob", "EDITOR"),
            await revoke(bob, document, "bob"),
            await set_access(bob, document, "RESTRICTED"),
        ]
        assert [(answer["code"], answer["subjectId"]) for answer in answers] == [("FORBIDDEN", document)] * 3
        assert await roles(bob, document) == {}
        assert (await bob(NODES, ids=[f"grant_{document}/bob"]))["nodes"] == [None]
    assert await roles(client, document) == {"user_bob": "COMMENTER"}


async def test_what_cannot_be_seen_cannot_be_shared(client: Client, serve: Serve, database: Database) -> None:
    trashed = (await factories.document(database, deleted_at=TRASHED)).id
    document = await create_document(client)
    await factories.workspace(database, "other")
    async with serve(Principal("ann", "other", Role.OWNER)) as other:
        for asked, hidden in ((client, trashed), (client, "doc_nothing"), (other, document), (other, "doc_nothing")):
            for answer in (
                await grant(asked, hidden, "ann"),
                await revoke(asked, hidden, "ann"),
                await set_access(asked, hidden, "RESTRICTED"),
            ):
                assert (answer["code"], answer["docId"]) == ("DOCUMENT_NOT_FOUND", hidden)


async def test_sharing_takes_as_many_statements_for_much_as_for_little(client: Served) -> None:
    query = (
        "{ documents(first: 100) { edges { node { access grants { totalCount edges { node { documentRole } } } } } } }"
    )
    counts = []
    for size in (1, 20):
        document = await create_document(client)
        for number in range(size):
            await grant(client, document, f"u{number}")
        with counted(client.database) as granting:
            await grant(client, document, "ann")
        with counted(client.database) as again:
            await grant(client, document, "ann")
        with counted(client.database) as listing:
            await client(query)
        with counted(client.database) as revoking:
            await revoke(client, document, "ann")
        with counted(client.database) as restricting:
            await set_access(client, document, "RESTRICTED")
        counts.append([len(each) for each in (granting, again, listing, revoking, restricting)])
    assert counts[0] == counts[1]
    assert counts[0][2] == 3
