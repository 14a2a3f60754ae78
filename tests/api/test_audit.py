"""The audit: every security-relevant act leaves an entry in its own transaction, and owners read them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from db import audit as entries
from db.connection.database import Database
from db.models import ApiKey, AuditEntry, UserKind
from db.principals import Principal, Role
from services import audit
from tests.api.operations import create_document, create_section, nodes, pages_backward, pages_forward
from tests.api.test_api_keys import CREATE_KEY, create_key, revoke_key
from tests.api.test_grants import grant, revoke, set_access
from tests.api.test_share_links import create_link, revoke_link
from tests.api.test_trash import PURGE_DOCUMENT, PURGE_SECTION, TRASH_DOCUMENT, TRASH_SECTION, move
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.counting import counted

ENTRIES = """
query ($filter: AuditFilter, $first: Int, $after: String, $last: Int, $before: String) {
  auditEntries(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount
    edges { cursor node { id actor { id } action subjectId outcome requestId details at } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

NODE = "query ($id: ID!) { node(id: $id) { id ... on AuditEntry { action } } }"

ANN = Principal("ann", "local", Role.EDITOR)


@pytest.fixture(autouse=True)
def interval(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let all refusals of a test be of one interval; a test may go on to another."""
    now = [1_000_000.0]
    monkeypatch.setattr(audit, "now", lambda: now[0])
    return now


async def listed(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    """Read the entries that match a filter, newest first."""
    return nodes([(await client(ENTRIES, first=100, filter=wanted))["auditEntries"]])


async def acts(client: Client, **wanted: Any) -> list[tuple[str, str, str]]:
    """Read who did what with which outcome, oldest first."""
    return [(row["actor"]["id"], row["action"], row["outcome"]) for row in (await listed(client, **wanted))[::-1]]


async def test_every_act_leaves_an_entry_with_its_subject(client: Client) -> None:
    key = (await create_key(client, role="EDITOR"))["apiKey"]["id"]
    await revoke_key(client, key)
    document = await create_document(client)
    section = await create_section(client, document)
    link = (await create_link(client, document))["shareLink"]["id"]
    await revoke_link(client, link)
    await grant(client, document, "bob", "READER")
    await revoke(client, document, "bob")
    await set_access(client, document, "RESTRICTED")
    await move(client, TRASH_SECTION, section)
    await move(client, PURGE_SECTION, section)
    await move(client, TRASH_DOCUMENT, document)
    await move(client, PURGE_DOCUMENT, document)
    found = (await listed(client))[::-1]
    assert [(row["action"], row["subjectId"], row["details"]) for row in found] == [
        ("CREATE_API_KEY", key, {"role": "EDITOR", "kind": "SERVICE"}),
        ("REVOKE_API_KEY", key, {}),
        ("CREATE_SHARE_LINK", link, {"docId": document, "role": "READER"}),
        ("REVOKE_SHARE_LINK", link, {"docId": document}),
        ("GRANT_ROLE", document, {"userId": "user_bob", "role": "READER"}),
        ("REVOKE_ROLE", document, {"userId": "user_bob"}),
        ("SET_DOCUMENT_ACCESS", document, {"access": "RESTRICTED"}),
        ("PURGE_SECTION", section, {}),
        ("PURGE_DOCUMENT", document, {}),
    ]
    assert {(row["actor"]["id"], row["outcome"]) for row in found} == {("user_local", "DONE")}


async def test_what_changes_nothing_leaves_no_entry(client: Client) -> None:
    key = (await create_key(client))["apiKey"]["id"]
    document = await create_document(client)
    link = (await create_link(client, document))["shareLink"]["id"]
    for _ in range(2):
        await revoke_key(client, key)
        await revoke_link(client, link)
        await grant(client, document, "bob")
        await set_access(client, document, "RESTRICTED")
    for _ in range(2):
        await revoke(client, document, "bob")
    await create_key(client, name="")
    await grant(client, document, "bob", "OWNER")
    assert [action for _, action, _ in await acts(client)] == [
        "CREATE_API_KEY",
        "CREATE_SHARE_LINK",
        "REVOKE_API_KEY",
        "REVOKE_SHARE_LINK",
        "GRANT_ROLE",
        "SET_DOCUMENT_ACCESS",
        "REVOKE_ROLE",
    ]


async def test_the_grant_of_who_restricts_a_document_is_an_act_too(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    async with serve(ANN) as ann:
        await set_access(ann, document, "RESTRICTED")
    assert [row["details"] for row in (await listed(client, actor="ann"))[::-1]] == [
        {"access": "RESTRICTED"},
        {"userId": "user_ann", "role": "EDITOR"},
    ]


async def test_a_refusal_is_an_entry_and_what_is_hidden_is_none(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    async with serve(Principal("rita", "local", Role.READER)) as reader:
        await create_key(reader)
        await revoke_key(reader, "key_1")
        await create_link(reader, document)
        await grant(reader, document, "rita", "EDITOR")
        await revoke(reader, document, "rita")
        await set_access(reader, document, "RESTRICTED")
        await move(reader, PURGE_DOCUMENT, document)
        await grant(reader, "doc_nothing", "rita", "EDITOR")
        await revoke_link(reader, "link_nothing")
    found = (await listed(client))[::-1]
    assert [(row["action"], row["subjectId"]) for row in found] == [
        ("CREATE_API_KEY", None),
        ("REVOKE_API_KEY", None),
        ("CREATE_SHARE_LINK", document),
        ("GRANT_ROLE", document),
        ("REVOKE_ROLE", document),
        ("SET_DOCUMENT_ACCESS", document),
        ("PURGE_DOCUMENT", document),
    ]
    assert {(row["actor"]["id"], row["outcome"]) for row in found} == {("user_rita", "FORBIDDEN")}


async def test_of_the_refusals_of_an_interval_the_first_is_kept(
    client: Client, serve: Serve, interval: list[float]
) -> None:
    async with serve(ANN) as ann, serve(Principal("bob", "local", Role.READER)) as bob:
        for _ in range(5):
            await create_key(ann)
            await create_key(bob)
        interval[0] += audit.REFUSALS_INTERVAL_S
        await create_key(ann)
    assert sorted(actor for actor, _, _ in await acts(client)) == ["user_ann", "user_ann", "user_bob"]


async def test_an_entry_names_the_key_through_which_a_user_acts(client: Client, serve: Serve) -> None:
    document = await create_document(client)
    async with serve(Principal("ann", "local", Role.EDITOR, key_id="key_1")) as backend:
        await grant(backend, document, "bob", "READER")
        await create_key(backend)
    refused, granted = await listed(client)
    assert granted["actor"] == {"id": "user_ann"}
    assert granted["details"] == {"userId": "user_bob", "role": "READER", "keyId": "key_1"}
    assert refused["details"] == {"keyId": "key_1"}


async def test_all_guests_are_refused_as_one(client: Client, serve: Serve) -> None:
    for number in range(3):
        guest = Principal(f"guest_{number}", "local", None, UserKind.GUEST, {"doc_1": Role.READER})
        async with serve(guest) as asked:
            assert (await create_key(asked))["code"] == "FORBIDDEN"
    assert await acts(client) == [("user_guest_0", "CREATE_API_KEY", "FORBIDDEN")]


async def test_an_entry_has_the_id_of_its_request(client: Served) -> None:
    body = {"query": CREATE_KEY}
    await client.http.post("/graphql", json=body, headers={"X-Request-Id": "request-1"})
    await client.http.post("/graphql", json=body)
    generated, given = (row["requestId"] for row in await listed(client))
    assert given == "request-1"
    assert len(generated) == 24


async def test_an_act_that_is_rolled_back_leaves_no_entry(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await create_document(client)

    async def fail(*_: Any) -> None:
        raise RuntimeError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(entries, "add", fail)
        answer = await client.result(CREATE_KEY)
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    async with database.read() as session:
        assert await session.scalar(select(func.count(ApiKey.id))) == 0
    assert await listed(client) == []
    assert document


async def test_an_entry_holds_no_secret_and_no_text(client: Client) -> None:
    document = await create_document(client, "canary-title")
    secrets = [
        (await create_key(client, name="canary-name"))["secret"],
        (await create_link(client, document))["secret"],
    ]
    found = json.dumps(await listed(client))
    assert not any(word in found for word in (*secrets, "canary"))


async def test_filters_find_what_they_name(client: Client, serve: Serve) -> None:
    document, other = await create_document(client), await create_document(client)
    await grant(client, document, "bob")
    async with serve(ANN) as ann:
        await grant(ann, document, "bob", "READER")
        await create_link(ann, other)
    assert len(await listed(client)) == 3
    assert [row["action"] for row in await listed(client, actor="user_ann")] == ["CREATE_SHARE_LINK", "GRANT_ROLE"]
    assert await listed(client, actor="ann") == await listed(client, actor="user_ann")
    assert len(await listed(client, action="GRANT_ROLE")) == 2
    assert len(await listed(client, subjectId=document)) == 2
    assert len(await listed(client, subjectId=document, actor="ann")) == 1
    for wanted in (
        {"actor": "nobody"},
        {"actor": "a\0b"},
        {"subjectId": ""},
        {"subjectId": document, "action": "CREATE_SHARE_LINK"},
        {"since": "2999-01-01T00:00:00Z"},
        {"until": "2000-01-01T00:00:00Z"},
        {"until": "0001-01-01T00:00:00+14:00"},
    ):
        found = (await client(ENTRIES, filter=wanted))["auditEntries"]
        assert (found["edges"], found["totalCount"]) == ([], 0), wanted
    everything: list[dict[str, str | None]] = [
        {},
        {"actor": None},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
    ]
    for all_of_them in everything:
        assert (await client(ENTRIES, filter=all_of_them))["auditEntries"]["totalCount"] == 3, all_of_them


async def test_a_range_has_its_beginning_and_not_its_end(client: Client, database: Database) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    keys = [(await create_key(client))["apiKey"]["id"] for _ in range(3)]
    async with database.begin() as session:
        for day, key in enumerate(keys):
            moved = update(AuditEntry).where(AuditEntry.subject_id == key)
            await session.execute(moved.values(created_at=start + timedelta(days=day)))
    wanted = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-03T01:00:00+01:00"}
    assert [row["subjectId"] for row in await listed(client, **wanted)] == [keys[1], keys[0]]


async def test_a_time_without_a_zone_is_refused(client: Client) -> None:
    answer = await client.result(ENTRIES, filter={"since": "2026-11-01T00:00:00"})
    assert answer["data"] == {"auditEntries": None}
    assert "time zone" in answer["errors"][0]["message"]


async def test_the_newest_entry_is_listed_first_on_every_page(client: Client) -> None:
    for _ in range(5):
        await create_key(client)
    everything = [row["id"] for row in await listed(client)]

    async def read(**page: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await client(ENTRIES, filter={"action": "CREATE_API_KEY"}, **page))["auditEntries"]
        assert found["totalCount"] == 5
        return found

    for pages in (pages_forward, pages_backward):
        assert [node["id"] for node in nodes(await pages(read, 2))] == everything


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER, Role.EDITOR, None])
async def test_only_owners_read_the_audit(client: Client, serve: Serve, role: Role | None) -> None:
    await create_key(client)
    (entry,) = await listed(client)
    async with serve(Principal("ann", "local", role)) as other:
        found = (await other(ENTRIES))["auditEntries"]
        assert (found["edges"], found["totalCount"]) == ([], 0)
        assert (await other(NODE, id=entry["id"]))["node"] is None
    assert (await client(NODE, id=entry["id"]))["node"] == {"id": entry["id"], "action": "CREATE_API_KEY"}


async def test_the_audit_of_another_workspace_is_nowhere(client: Client, serve: Serve, database: Database) -> None:
    await create_key(client)
    (entry,) = await listed(client)
    await factories.workspace(database, "other")
    async with serve(Principal("ann", "other", Role.OWNER)) as other:
        assert await listed(other) == []
        assert (await other(NODE, id=entry["id"]))["node"] is None


async def test_a_page_of_the_audit_takes_one_statement_and_its_count_another(client: Served) -> None:
    for _ in range(2):
        await create_key(client)
        with counted(client.database) as statements:
            await client(ENTRIES, filter={"actor": "local", "action": "CREATE_API_KEY"})
        assert len(statements) == 2


async def test_a_purged_document_takes_its_grants_and_links_along(client: Client, database: Database) -> None:
    document, other = await create_document(client), await create_document(client)
    for each in (document, other):
        await create_link(client, each)
        await grant(client, each, "bob")
    await move(client, TRASH_DOCUMENT, document)
    await move(client, PURGE_DOCUMENT, document)
    async with database.read() as session:
        for table in ("grants", "share_links"):
            left = await session.scalars(text(f"SELECT document_id FROM {table}"))  # noqa: S608 - our own names
            assert left.all() == [other]
