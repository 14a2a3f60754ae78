"""Signed tokens: JWTs of the integrator's backend, their claims, and what is remembered of them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from sqlalchemy import select, text

from db.connection.database import Database
from db.models import User, Workspace
from marginalia.authentication.settings import BadKey
from tests.conftest import Serve
from tests.edge.authentication.conftest import viewer
from tests.edge.conftest import Log
from tests.support import factories
from tests.support.client import Served
from tests.support.counting import counted
from tests.support.tokens import EC, ED, RSA, SECRET, VIEWER, bearer, public_pem, sign

U1 = {"id": "user_u1", "role": "EDITOR", "workspace": "ws_local"}

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def users(database: Database) -> dict[str, tuple[str, str | None]]:
    async with database.begin() as session:
        return {user.id: (user.name, user.avatar_url) for user in await session.scalars(select(User))}


async def test_a_token_says_who_asks(client: Served) -> None:
    assert await viewer(client, sign()) == U1
    assert await viewer(client, sign(sub="auth0|5", role="OWNER")) == {**U1, "id": "user_auth0|5", "role": "OWNER"}
    assert await viewer(client, sign(role="reader", typ="x")) == {**U1, "role": "READER"}


@on_sqlite
@pytest.mark.parametrize(
    ("text", "key"),
    [
        (public_pem(RSA), RSA),
        (public_pem(EC), EC),
        (public_pem(ED), ED),
        (json.dumps(EC.as_dict(private=False)), EC),
        (json.dumps({"keys": [RSA.as_dict(private=False), ED.as_dict(private=False)]}), ED),
    ],
    ids=["RSA PEM", "EC PEM", "Ed25519 PEM", "JWK", "JWK Set"],
)
async def test_a_public_key_verifies_tokens(serve: Serve, text: str, key: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(text)
    async with serve(auth="tokens", token_public_key_file=tmp_path / "key") as client:
        assert await viewer(client, sign(key)) == U1
        assert await viewer(client, sign(key, {"kid": "a name of theirs"})) == U1
        assert await viewer(client, sign()) == 401
        if key is ED:
            with pytest.warns(SecurityWarning):  # the library warns of the name, which RFC 9864 replaces
                token = sign(key, {"alg": "EdDSA"})
            assert await viewer(client, token) == U1


@on_sqlite
@pytest.mark.parametrize(
    "settings",
    [
        {"token_secret": "too short"},
        {"token_secret": public_pem(RSA)},
        {"token_public_key": SECRET},
        {"token_public_key": "{}"},
        {"token_public_key": '{"keys": 5}'},
        {"token_public_key": EC.as_pem(private=True).decode()},
        {"token_public_key": json.dumps({"kty": "oct", "k": "a" * 50})},
        {"token_public_key_file": Path("/nowhere")},
        {"token_secret_file": Path("/")},
        {"oidc_issuer": "http://issuer.example", "oidc_audience": "a"},
    ],
)
async def test_a_key_that_cannot_be_used_is_told_without_the_key(serve: Serve, settings: dict[str, Any]) -> None:
    with pytest.raises(BadKey) as raised:
        async with serve(auth="tokens", **settings):
            pass
    assert "\n" not in str(raised.value)
    assert all(str(value) not in str(raised.value) for value in settings.values() if not isinstance(value, Path | str))


@on_sqlite
async def test_a_token_for_an_audience_needs_the_setting(client: Served, serve: Serve, log: Log) -> None:
    assert await viewer(client, sign(aud="marginalia")) == 401
    assert "MARGINALIA_TOKEN_AUDIENCE" in log.of("request refused")[0]["hint"]
    async with serve(auth="tokens", token_secret=SECRET, token_audience="us") as strict:  # noqa: S106 - no password
        assert await viewer(strict, sign(aud=["others", "us"])) == U1
        assert await viewer(strict, sign()) == 401


@on_sqlite
async def test_a_token_for_documents_has_no_role_in_the_workspace(client: Served) -> None:
    assert await viewer(client, sign(role="OWNER", documents={"doc_a": "READER"})) == {**U1, "role": None}
    assert await viewer(client, sign(role=None, documents={})) == {**U1, "role": None}


@on_sqlite
async def test_a_token_ends_when_it_expires_although_it_is_known(
    client: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, now = sign(), time.time()
    assert await viewer(client, token) == U1
    monkeypatch.setattr(time, "time", lambda: now + 599)
    assert await viewer(client, token) == U1
    monkeypatch.setattr(time, "time", lambda: now + 600)
    assert await viewer(client, token) == 401


async def test_a_workspace_is_created_for_a_token_if_the_setting_says_so(
    client: Served, serve: Serve, database: Database, log: Log
) -> None:
    token = sign(workspace="acme")
    assert await viewer(client, token) == 401
    refusal = log.of("request refused")[0]
    assert refusal["reason"] == "the workspace does not exist"
    assert "MARGINALIA_NEW_WORKSPACES" in refusal["hint"]
    async with serve(auth="tokens", token_secret=SECRET, new_workspaces="create") as creating:
        assert await viewer(creating, token) == {**U1, "workspace": "ws_acme"}
        assert await viewer(creating, sign(workspace="a b")) == 401
    async with database.begin() as session:
        assert set(await session.scalars(select(Workspace.workspace_id))) == {"local", "acme"}


async def test_names_and_avatars_are_remembered_as_they_change(client: Served, database: Database) -> None:
    now = int(time.time())
    await viewer(client, sign(avatar="https://pictures.example/ann.png", iat=now - 100))
    assert await users(database) == {"u1": ("Ann", "https://pictures.example/ann.png")}
    await viewer(client, sign(name="  Ann\n\tB. \x07", iat=now - 50))
    assert await users(database) == {"u1": ("Ann B.", None)}
    await viewer(client, sign(name="An old name", iat=now - 60))
    await viewer(client, sign(avatar="https://pictures.example/ann.png", iat=now - 100))
    assert await users(database) == {"u1": ("Ann B.", None)}, "an older token brings no older name back"


@on_sqlite
async def test_an_older_token_brings_no_older_name_back_in_another_process(
    client: Served, serve: Serve, database: Database
) -> None:
    now = int(time.time())
    await viewer(client, sign(name="New", iat=now - 10))
    async with serve(auth="tokens", token_secret=SECRET) as other:
        await viewer(other, sign(name="Old", iat=now - 20))
        assert await users(database) == {"u1": ("New", None)}
        await viewer(other, sign(name="Newest", iat=now))
        assert await users(database) == {"u1": ("Newest", None)}


@on_sqlite
@pytest.mark.parametrize(
    "avatar",
    [
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "//evil",
        "https://",
        "http://a b",
        "https://u@h/",
        5,
        "x" * 3_000,
    ],
)
async def test_what_is_no_address_of_a_picture_is_dropped(client: Served, database: Database, avatar: Any) -> None:
    assert await viewer(client, sign(avatar=avatar)) == U1
    assert await users(database) == {"u1": ("Ann", None)}


@on_sqlite
@pytest.mark.parametrize(("name", "shown"), [(None, "u1"), (" ", "u1"), (5, "u1"), ("a" * 300, "a" * 200)])
async def test_a_name_is_one_line_of_limited_length(client: Served, database: Database, name: Any, shown: str) -> None:
    await viewer(client, sign(name=name))
    assert await users(database) == {"u1": (shown, None)}


async def test_a_known_token_costs_no_statement(client: Served) -> None:
    tokens = [sign(), sign(), sign(name="Ann", iat=int(time.time()) - 5)]
    for token in tokens:
        await viewer(client, token)
    with counted(client.database) as statements:
        for token in tokens * 2:
            assert await viewer(client, token) == U1
    assert not statements


async def test_a_profile_that_cannot_be_stored_fails_no_request(client: Served, database: Database, log: Log) -> None:
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE users RENAME TO elsewhere"))
    assert await viewer(client, sign()) == U1
    assert await viewer(client, sign(sub="u2")) == {**U1, "id": "user_u2"}
    assert len(log.of("The profile of a user cannot be stored")) == 1, "it is not tried again at once"


@on_sqlite
async def test_local_mode_wants_no_token_and_believes_none(serve: Serve) -> None:
    async with serve(auth="local") as client:
        for headers in ({}, bearer(sign()), bearer("nonsense"), {"Authorization": "nonsense"}):
            answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=headers)
            assert answer.json()["data"]["viewer"]["user"]["id"] == "user_local"


@on_sqlite
async def test_only_graphql_needs_a_token(client: Served) -> None:
    for path in ("/livez", "/readyz", "/graphiql"):
        assert (await client.http.get(path)).status_code == 200
    for asked in (
        client.http.get("/graphql", params={"query": "{ __typename }"}, headers={"X-Requested-With": "x"}),
        client.http.put("/graphql"),
        client.http.post("/graphql", content=b"x" * 1_000_000),
        client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": "text/event-stream"}),
        client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": "image/png"}),
    ):
        answer = await asked
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    page = await client.http.get("/graphql", headers={"Accept": "text/html"}, follow_redirects=False)
    assert page.status_code == 303, "a browser is led to the explorer"


@on_sqlite
async def test_a_refusal_has_the_media_type_and_the_id_of_the_request(client: Served) -> None:
    for accept in ("application/json", "application/graphql-response+json"):
        answer = await client.http.post("/graphql", headers={"Accept": accept, "X-Request-ID": "mine"})
        assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
        assert answer.headers["x-request-id"] == "mine"


@on_sqlite
async def test_a_token_in_the_url_or_a_cookie_is_none(client: Served) -> None:
    token = sign()
    for name in ("token", "access_token", "authorization"):
        answer = await client.http.post("/graphql", params={name: token}, json={"query": VIEWER})
        assert answer.status_code == 401
        answer = await client.http.post("/graphql", headers={"Cookie": f"{name}={token}"}, json={"query": VIEWER})
        assert answer.status_code == 401


@on_sqlite
async def test_no_workspace_sees_another(client: Served, database: Database) -> None:
    await factories.workspace(database, "theirs")
    document = await factories.document(database, workspace_id="theirs")
    query = {"query": "query D($id: ID!) { document(id: $id) { id } }", "variables": {"id": document.id}}
    ours = await client.http.post("/graphql", json=query, headers=bearer(sign(role="OWNER")))
    theirs = await client.http.post("/graphql", json=query, headers=bearer(sign(role="OWNER", workspace="theirs")))
    assert ours.json() == {"data": {"document": None}}
    assert theirs.json() == {"data": {"document": {"id": document.id}}}
