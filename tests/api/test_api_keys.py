"""API keys: owners create, list and revoke them; a secret is shown once and stored nowhere."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from db.connection.database import Database
from db.models import ApiKey
from db.principals import Principal, Role
from tests.api.operations import arguments, nodes, pages_forward
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.counting import counted

CREATE_KEY = """
mutation ($name: String! = "Backend", $role: Role! = EDITOR, $kind: UserKind! = SERVICE, $expiresAt: DateTime) {
  createApiKey(name: $name, role: $role, kind: $kind, expiresAt: $expiresAt) {
    __typename
    ... on CreateApiKeySuccess {
      secret
      apiKey { id name workspaceRole kind createdBy { id } createdAt expiresAt lastUsedAt revokedAt }
      apiKeyEdge { cursor node { id } }
    }
    ... on Error { code message }
    ... on InvalidInput { violations { path message } }
    ... on Forbidden { subjectId }
  }
}
"""

REVOKE_KEY = """
mutation ($keyId: ID!) {
  revokeApiKey(keyId: $keyId) {
    __typename
    ... on RevokeApiKeySuccess { apiKey { id revokedAt } }
    ... on Error { code message }
    ... on ApiKeyNotFound { keyId }
  }
}
"""

KEYS = """
query ($first: Int = 20, $after: String) {
  apiKeys(first: $first, after: $after) {
    totalCount
    edges { cursor node { id name workspaceRole kind createdBy { id } createdAt expiresAt lastUsedAt revokedAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

NODE = "query ($id: ID!) { node(id: $id) { id ... on ApiKey { name } } }"


async def create_key(client: Client, **arguments: Any) -> dict[str, Any]:
    """Create an API key and return the answer."""
    created: dict[str, Any] = (await client(CREATE_KEY, **arguments))["createApiKey"]
    return created


async def revoke_key(client: Client, key_id: str) -> dict[str, Any]:
    revoked: dict[str, Any] = (await client(REVOKE_KEY, keyId=key_id))["revokeApiKey"]
    return revoked


async def test_a_key_is_created_and_its_secret_is_shown_once(client: Client, database: Database) -> None:
    created = await create_key(client, name="  Backend ")
    assert re.fullmatch(r"mg_[A-Za-z0-9_-]{43}", created["secret"])
    key = created["apiKey"]
    assert key == {
        "id": key["id"],
        "name": "Backend",
        "workspaceRole": "EDITOR",
        "kind": "SERVICE",
        "createdBy": {"id": "user_local"},
        "createdAt": key["createdAt"],
        "expiresAt": None,
        "lastUsedAt": None,
        "revokedAt": None,
    }
    assert key["id"].startswith("key_")
    listed = (await client(KEYS))["apiKeys"]
    assert listed["edges"] == [{"cursor": created["apiKeyEdge"]["cursor"], "node": key}]
    assert created["secret"] not in json.dumps(listed)
    async with database.read() as session:
        digests = (await session.scalars(select(ApiKey.digest))).all()
    assert digests == [hashlib.sha256(created["secret"].encode()).hexdigest()]


async def test_two_keys_of_one_name_have_secrets_of_their_own(client: Client) -> None:
    first, second = await create_key(client), await create_key(client)
    assert first["secret"] != second["secret"]
    assert first["apiKey"]["id"] != second["apiKey"]["id"]


@pytest.mark.parametrize("role", ["READER", "COMMENTER", "EDITOR", "OWNER"])
@pytest.mark.parametrize("kind", ["SERVICE", "ASSISTANT"])
async def test_a_key_has_any_role_and_one_of_two_kinds(client: Client, role: str, kind: str) -> None:
    key = (await create_key(client, role=role, kind=kind))["apiKey"]
    assert (key["workspaceRole"], key["kind"]) == (role, kind)


async def test_a_key_expires_when_it_is_told_to(client: Client) -> None:
    at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (await create_key(client, expiresAt=at))["apiKey"]["expiresAt"] == at


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"kind": "PERSON"}, "kind"),
        ({"kind": "GUEST"}, "kind"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2999-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "expiresAt"),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
    ],
)
async def test_a_bad_argument_is_named(client: Client, given: dict[str, Any], named: str) -> None:
    refused = await create_key(client, **given)
    assert (refused["__typename"], arguments(refused)) == ("InvalidInput", [named])
    assert (await client(KEYS))["apiKeys"]["totalCount"] == 0


@pytest.mark.parametrize("value", ["soon", "", 5, True, {"year": 2027}, "9" * 100])
async def test_what_is_no_time_is_no_argument(client: Served, value: Any) -> None:
    answer = (await client.post({"query": CREATE_KEY, "variables": {"expiresAt": value}})).json()
    assert answer["errors"][0]["extensions"]["code"] in ("BAD_USER_INPUT", "BAD_VARIABLES"), answer


async def test_a_key_is_revoked_once_and_for_all(client: Client) -> None:
    key = (await create_key(client))["apiKey"]["id"]
    first = await revoke_key(client, key)
    again = await revoke_key(client, key.removeprefix("key_"))
    assert first["apiKey"]["revokedAt"] is not None
    assert again == first
    assert [node["revokedAt"] for node in nodes([(await client(KEYS))["apiKeys"]])] == [first["apiKey"]["revokedAt"]]


@pytest.mark.parametrize("key_id", ["key_nothing", "nothing", "doc_1", "", "a\0b", "x" * 10_000])
async def test_a_key_that_does_not_exist_cannot_be_revoked(client: Client, key_id: str) -> None:
    assert (await revoke_key(client, key_id))["code"] == "API_KEY_NOT_FOUND"


async def test_the_newest_key_is_listed_first(client: Client) -> None:
    keys = [(await create_key(client, name=f"Key {number}"))["apiKey"]["id"] for number in range(5)]

    async def read(**page: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await client(KEYS, **page))["apiKeys"]
        assert found["totalCount"] == 5
        return found

    assert [node["id"] for node in nodes(await pages_forward(read, 2))] == keys[::-1]


async def test_the_last_use_is_shown(client: Client, database: Database) -> None:
    await create_key(client)
    used = datetime(2026, 11, 28, 7, 25, tzinfo=UTC)
    async with database.begin() as session:
        await session.execute(update(ApiKey).values(last_used_at=used))
    (key,) = nodes([(await client(KEYS))["apiKeys"]])
    assert key["lastUsedAt"] == "2026-11-28T07:25:00.000000Z"


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER, Role.EDITOR, None])
async def test_only_owners_have_to_do_with_keys(client: Client, serve: Serve, role: Role | None) -> None:
    key = (await create_key(client))["apiKey"]["id"]
    async with serve(Principal("ann", "local", role)) as other:
        refused = await create_key(other)
        assert (refused["code"], refused["subjectId"]) == ("FORBIDDEN", None)
        for key_id in (key, "key_nothing"):
            assert await revoke_key(other, key_id) == {
                "__typename": "Forbidden",
                "code": "FORBIDDEN",
                "message": "Your role does not allow this",
            }
        listed = (await other(KEYS))["apiKeys"]
        assert (listed["edges"], listed["totalCount"]) == ([], 0)
        assert (await other(NODE, id=key))["node"] is None
    assert nodes([(await client(KEYS))["apiKeys"]])[0]["revokedAt"] is None


async def test_the_keys_of_another_workspace_are_nowhere(client: Client, serve: Serve, database: Database) -> None:
    key = (await create_key(client))["apiKey"]["id"]
    await factories.workspace(database, "other")
    async with serve(Principal("ann", "other", Role.OWNER)) as other:
        assert (await other(KEYS))["apiKeys"]["edges"] == []
        assert (await other(NODE, id=key))["node"] is None
        assert (await revoke_key(other, key))["code"] == "API_KEY_NOT_FOUND"
    assert (await client(NODE, id=key))["node"] == {"id": key, "name": "Backend"}


async def test_a_key_takes_as_many_statements_as_any_other(client: Served) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            await create_key(client)
        with counted(client.database) as creating:
            key = (await create_key(client))["apiKey"]["id"]
        with counted(client.database) as listing:
            await client(KEYS)
        with counted(client.database) as revoking:
            await revoke_key(client, key)
        counts.append((len(creating), len(listing), len(revoking)))
    # BEGIN, the key, the audit entry, COMMIT; the page and its count; BEGIN, lock, update, audit entry, COMMIT.
    assert counts == [(4, 2, 5)] * 2
