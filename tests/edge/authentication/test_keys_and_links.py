"""API keys and share links: whom their secrets let in, as whom, and for how long."""

import asyncio
import time
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from db.connection.database import Database
from db.models import ApiKey, User, UserKind
from db.principals import Role
from db.times import utcnow
from tests.conftest import Serve
from tests.edge.authentication.conftest import viewer
from tests.support import factories
from tests.support.client import Served
from tests.support.counting import counted
from tests.support.tokens import VIEWER, api_key, bearer, in_seconds, share_link, sign

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def users(database: Database) -> dict[str, tuple[str, str]]:
    async with database.begin() as session:
        return {user.id: (user.kind, user.name) for user in await session.scalars(select(User))}


@pytest.mark.parametrize("kind", [UserKind.SERVICE, UserKind.ASSISTANT])
async def test_a_key_acts_for_itself(client: Served, database: Database, kind: UserKind) -> None:
    secret, key = await api_key(database, role=Role.COMMENTER, kind=kind)
    assert await viewer(client, secret) == {"id": f"user_{key.id}", "role": "COMMENTER", "workspace": "ws_local"}
    assert await users(database) == {key.id: (kind, "A backend")}


async def test_a_key_acts_for_a_user_of_its_workspace(client: Served, database: Database) -> None:
    await factories.workspace(database, "theirs")
    secret, _ = await api_key(database, workspace_id="theirs", role=Role.EDITOR)
    for user_id in ("u7", "ülrike"):
        answer = await viewer(client, secret, marginalia_user=user_id.encode())  # type: ignore[arg-type]
        assert answer == {"id": f"user_{user_id}", "role": "EDITOR", "workspace": "ws_theirs"}
    assert await users(database) == {"u7": ("PERSON", "u7"), "ülrike": ("PERSON", "ülrike")}


@on_sqlite
async def test_a_known_user_keeps_the_name_when_a_key_acts_for_them(client: Served, database: Database) -> None:
    secret, _ = await api_key(database)
    await viewer(client, secret, marginalia_user="u1")
    await viewer(client, sign())
    await viewer(client, secret, marginalia_user="u1")
    assert await users(database) == {"u1": ("PERSON", "Ann")}


@on_sqlite
@pytest.mark.parametrize("user_id", ["", "key_01", "guest_01", "a" * 201, " a", "a\tb"])
async def test_a_key_acts_for_no_one_else(client: Served, database: Database, user_id: str) -> None:
    secret, _ = await api_key(database)
    assert await viewer(client, secret, marginalia_user=user_id) == 401
    assert await users(database) == {}


@on_sqlite
async def test_only_a_key_acts_for_others(client: Served, database: Database) -> None:
    link, _ = await share_link(database, await factories.document(database))
    for token in (sign(), link):
        assert await viewer(client, token, marginalia_user="u2") == 401


async def test_expired_and_revoked_secrets_are_refused_alike(client: Served, database: Database) -> None:
    document = await factories.document(database)
    dead = [
        await api_key(database, expires_at=in_seconds(-1)),
        await api_key(database, revoked_at=in_seconds(-1)),
        await share_link(database, document, expires_at=in_seconds(-1)),
        await share_link(database, document, revoked_at=in_seconds(-1)),
    ]
    nobody = await client.http.post("/graphql", json={"query": VIEWER})
    for secret, _ in dead:
        answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(secret))
        assert (answer.status_code, answer.content) == (401, nobody.content)
    assert await users(database) == {}


@pytest.mark.slow
async def test_a_revoked_key_is_refused_soon(client: Served, database: Database) -> None:
    secret, _ = await api_key(database)
    assert isinstance(await viewer(client, secret), dict)
    async with database.begin() as session:
        await session.execute(update(ApiKey).values(revoked_at=utcnow()))
    began = time.monotonic()
    while await viewer(client, secret) != 401:
        assert time.monotonic() < began + 6, "two seconds, and more on a slow and busy machine"
        await asyncio.sleep(0.05)


async def test_a_link_lets_a_guest_in_to_its_document(client: Served, database: Database) -> None:
    mine, other = await factories.document(database), await factories.document(database)
    secret, _ = await share_link(database, mine)
    first = await viewer(client, secret, marginalia_guest_name=quote("Jörg"))
    assert isinstance(first, dict)
    assert first["id"].startswith("user_guest_")
    assert (len(first["id"]), first["role"], first["workspace"]) == (len("user_guest_") + 20, None, "ws_local")
    again = await viewer(client, secret, marginalia_guest_name=quote("Jörg"))
    someone = await viewer(client, secret, marginalia_guest_name="Eve")
    nameless = await viewer(client, secret)
    named = [await viewer(client, secret, marginalia_guest_id="g1", marginalia_guest_name=name) for name in "AB"]
    assert first == again
    assert named[0] == named[1]
    ids = [guest["id"].removeprefix("user_") for guest in (first, someone, nameless, named[0])]  # type: ignore[index]
    assert len(set(ids)) == 4
    assert await users(database) == dict(
        zip(ids, [("GUEST", name) for name in ("Jörg", "Eve", "Guest", "B")], strict=True)
    )
    assert other.id != mine.id


@on_sqlite
async def test_the_same_name_on_another_link_is_another_guest(client: Served, database: Database) -> None:
    document = await factories.document(database)
    links = [await share_link(database, document) for _ in range(2)]
    guests = [await viewer(client, secret, marginalia_guest_name="Ann") for secret, _ in links]
    assert guests[0] != guests[1]


@on_sqlite
@pytest.mark.parametrize("name", ["%ff", "%C3%28"])
async def test_a_name_that_is_not_utf_8_is_refused(client: Served, database: Database, name: str) -> None:
    secret, _ = await share_link(database, await factories.document(database))
    assert await viewer(client, secret, marginalia_guest_name=name) == 401


@pytest.mark.slow
async def test_a_busy_key_is_read_once_a_second(client: Served, database: Database) -> None:
    secret, _ = await api_key(database)
    await viewer(client, secret)
    await asyncio.sleep(1)  # what was read is too old now
    with counted(client.database) as statements:
        await asyncio.gather(*(viewer(client, secret) for _ in range(50)))
    assert len(statements) == 1


async def test_a_flood_of_bad_keys_is_read_in_few_statements(client: Served) -> None:
    with counted(client.database) as statements:
        answers = await asyncio.gather(*(viewer(client, f"mg_{number:043}") for number in range(300)))
        assert set(map(str, answers)) == {"401"}
        malformed = [await viewer(client, f"mg_{number}") for number in range(20)]
    assert set(map(str, malformed)) == {"401"}
    assert len(statements) <= 5


@on_sqlite
async def test_the_last_use_of_a_key_is_stored(client: Served, database: Database, serve: Serve) -> None:
    secret, _ = await api_key(database)
    async with serve(auth="tokens") as ending:
        await viewer(ending, secret)
    async with database.begin() as session:
        used = await session.scalar(select(ApiKey.last_used_at))
    assert used is not None
    assert abs(used.timestamp() - time.time()) < 60


@on_sqlite
async def test_an_outage_of_the_database_is_no_refusal(serve: Serve) -> None:
    nothing = {"database_url": "postgresql://127.0.0.1:1/nothing", "lock_timeout": 0.5}
    async with serve(auth="tokens", **nothing) as client:
        for secret in ("mg_" + "a" * 43, "mgl_" + "a" * 43):
            answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(secret))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["errors"][0]["extensions"]["code"] == "TEMPORARILY_UNAVAILABLE"
