"""Share links: editors of a document create, list and revoke them; a secret is shown once and stored nowhere."""

import hashlib
import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from db.connection.database import Database
from db.models import ShareLink
from db.principals import Principal, Role
from tests.api.operations import TRASHED, arguments, create_document, nodes, pages_forward
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.counting import counted

CREATE_LINK = """
mutation ($docId: ID!, $role: Role! = READER, $expiresAt: DateTime) {
  createShareLink(docId: $docId, role: $role, expiresAt: $expiresAt) {
    __typename
    ... on CreateShareLinkSuccess {
      secret
      shareLink { id document { id } documentRole createdBy { id } createdAt expiresAt revokedAt }
      shareLinkEdge { cursor node { id } }
    }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
    ... on Forbidden { subjectId }
    ... on DocumentNotFound { docId }
  }
}
"""

REVOKE_LINK = """
mutation ($linkId: ID!) {
  revokeShareLink(linkId: $linkId) {
    __typename
    ... on RevokeShareLinkSuccess { shareLink { id revokedAt } }
    ... on Error { code message }
    ... on ShareLinkNotFound { linkId }
  }
}
"""

LINKS = """
query ($docId: ID!, $first: Int = 20, $after: String) {
  document(id: $docId) {
    shareLinks(first: $first, after: $after) {
      totalCount
      edges { cursor node { id document { id } documentRole createdBy { id } createdAt expiresAt revokedAt } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""

NODE = "query ($id: ID!) { node(id: $id) { id ... on ShareLink { documentRole } } }"


async def create_link(client: Client, document_id: str, **arguments: Any) -> dict[str, Any]:
    """Create a share link and return the answer."""
    created: dict[str, Any] = (await client(CREATE_LINK, docId=document_id, **arguments))["createShareLink"]
    return created


async def revoke_link(client: Client, link_id: str) -> dict[str, Any]:
    revoked: dict[str, Any] = (await client(REVOKE_LINK, linkId=link_id))["revokeShareLink"]
    return revoked


async def links(client: Client, document_id: str, **page: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await client(LINKS, docId=document_id, **page))["document"]["shareLinks"]
    return found


async def test_a_link_is_created_and_its_secret_is_shown_once(client: Client, database: Database) -> None:
    document = await create_document(client)
    created = await create_link(client, document)
    assert re.fullmatch(r"mgl_[A-Za-z0-9_-]{43}", created["secret"])
    link = created["shareLink"]
    assert link == {
        "id": link["id"],
        "document": {"id": document},
        "documentRole": "READER",
        "createdBy": {"id": "user_local"},
        "createdAt": link["createdAt"],
        "expiresAt": None,
        "revokedAt": None,
    }
    assert link["id"].startswith("link_")
    listed = await links(client, document)
    assert listed["edges"] == [{"cursor": created["shareLinkEdge"]["cursor"], "node": link}]
    assert created["secret"] not in json.dumps(listed)
    async with database.read() as session:
        digests = (await session.scalars(select(ShareLink.digest))).all()
    assert digests == [hashlib.sha256(created["secret"].encode()).hexdigest()]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"role": "EDITOR"}, "role"),
        ({"role": "OWNER"}, "role"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2999-01-01"}, "expiresAt"),
    ],
)
async def test_a_bad_argument_is_named(client: Client, given: dict[str, Any], named: str) -> None:
    document = await create_document(client)
    refused = await create_link(client, document, **given)
    assert (refused["__typename"], arguments(refused)) == ("InvalidInput", [named])
    assert (await links(client, document))["totalCount"] == 0


async def test_a_link_is_revoked_once_and_for_all(client: Client) -> None:
    document = await create_document(client)
    link = (await create_link(client, document, role="COMMENTER"))["shareLink"]["id"]
    first = await revoke_link(client, link)
    again = await revoke_link(client, link.removeprefix("link_"))
    assert first["shareLink"]["revokedAt"] is not None
    assert again == first
    assert [node["revokedAt"] for node in nodes([await links(client, document)])] == [first["shareLink"]["revokedAt"]]


@pytest.mark.parametrize("link_id", ["link_nothing", "nothing", "doc_1", "", "a\0b", "x" * 10_000])
async def test_a_link_that_does_not_exist_cannot_be_revoked(client: Client, link_id: str) -> None:
    assert (await revoke_link(client, link_id))["code"] == "SHARE_LINK_NOT_FOUND"


async def test_the_links_of_each_document_are_paged_newest_first(client: Client) -> None:
    document, other = await create_document(client), await create_document(client)
    made = [(await create_link(client, document))["shareLink"]["id"] for _ in range(5)]
    await create_link(client, other)

    async def read(**page: Any) -> dict[str, Any]:
        found = await links(client, document, **page)
        assert found["totalCount"] == 5
        return found

    assert [node["id"] for node in nodes(await pages_forward(read, 2))] == made[::-1]


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_who_may_not_edit_a_document_has_nothing_to_do_with_its_links(
    client: Client, serve: Serve, role: Role
) -> None:
    document = await create_document(client)
    link = (await create_link(client, document))["shareLink"]["id"]
    async with serve(Principal("ann", "local", role)) as other:
        refused = await create_link(other, document)
        assert (refused["code"], refused["subjectId"]) == ("FORBIDDEN", document)
        missing = await revoke_link(other, "link_nothing")
        assert await revoke_link(other, link) == {**missing, "linkId": link}
        assert (await links(other, document))["totalCount"] == 0
        assert (await other(NODE, id=link))["node"] is None
    assert nodes([await links(client, document)])[0]["revokedAt"] is None


async def test_an_editor_shares_what_the_owner_made(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    async with serve(Principal("ann", "local", Role.EDITOR)) as editor:
        link = (await create_link(editor, document))["shareLink"]
        assert link["createdBy"] == {"id": "user_ann"}
        assert (await revoke_link(editor, link["id"]))["__typename"] == "RevokeShareLinkSuccess"


async def test_what_cannot_be_seen_cannot_be_shared(client: Client, serve: Serve, database: Database) -> None:
    trashed = await factories.document(database, deleted_at=TRASHED)
    document = await create_document(client)
    link = (await create_link(client, document))["shareLink"]["id"]
    await factories.workspace(database, "other")
    for hidden in (trashed.id, "doc_nothing"):
        refused = await create_link(client, hidden)
        assert (refused["code"], refused["docId"]) == ("DOCUMENT_NOT_FOUND", hidden)
    async with serve(Principal("ann", "other", Role.OWNER)) as other:
        assert (await create_link(other, document))["code"] == "DOCUMENT_NOT_FOUND"
        assert (await revoke_link(other, link))["code"] == "SHARE_LINK_NOT_FOUND"
        assert (await other(NODE, id=link))["node"] is None
    assert (await client(NODE, id=link))["node"] == {"id": link, "documentRole": "READER"}


async def test_links_of_many_documents_take_as_many_statements_as_those_of_one(client: Served) -> None:
    query = "{ documents(first: 100) { edges { node { shareLinks { totalCount edges { node { id } } } } } } }"
    counts = []
    for _ in range(2):
        for _ in range(3):
            document = await create_document(client)
            await create_link(client, document)
        with counted(client.database) as creating:
            link = (await create_link(client, document))["shareLink"]["id"]
        with counted(client.database) as listing:
            await client(query)
        with counted(client.database) as revoking:
            await revoke_link(client, link)
        counts.append((len(creating), len(listing), len(revoking)))
    assert counts[0] == counts[1]
    assert counts[0][1] == 3
