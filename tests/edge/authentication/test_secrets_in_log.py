"""The log holds no secret: canaries in tokens, keys, headers, URLs and socket messages never reach it."""

from typing import Any

import pytest
from joserfc.jwk import OctKey
from sqlalchemy import text

from db.connection.database import Database
from marginalia.authentication import signing, verification
from marginalia.authentication.credentials import from_headers
from marginalia.authentication.settings import CommandSettings
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support import factories
from tests.support.asgi_socket import asgi_socket
from tests.support.client import Served
from tests.support.issuer import Issuer, response, serving
from tests.support.tokens import RSA, SECRET, VIEWER, api_key, bearer, share_link, sign

CANARY = "Xanthippe"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def secrets_of(*tokens: str) -> list[str]:
    """Return what must not be logged of tokens: themselves, and each of their parts that is long."""
    return [CANARY, *tokens, *(part for token in tokens for part in token.split(".") if len(part) > 20)]


def check(log: Log, *tokens: str) -> None:
    assert log.records, "something was logged"
    for secret in secrets_of(*tokens):
        assert secret not in log.text


async def test_no_token_is_logged_whatever_becomes_of_it(client: Served, database: Database, log: Log) -> None:
    document = await factories.document(database)
    stranger = OctKey.import_key("x" * 40)
    tokens = [
        sign(name=CANARY, avatar=f"https://{CANARY}.example/"),
        sign(name=CANARY, exp=1),
        sign(stranger, {"kid": CANARY}, jti=CANARY, aud=CANARY),
        sign(aud=CANARY),
        sign(workspace=f"unknown-{CANARY}", role=CANARY),
        sign(documents={CANARY: CANARY}),
        sign(iss=CANARY, nbf=CANARY),
        (await api_key(database))[0],
        (await share_link(database, document))[0],
        (await api_key(database, expires_at=None, revoked_at=None))[0] + CANARY,
        "mg_" + CANARY.ljust(43, "x"),
        "mgl_" + CANARY.ljust(43, "x"),
        CANARY,
    ]
    headers = {"Marginalia-User": CANARY, "Marginalia-Guest-Name": CANARY, "Marginalia-Guest-Id": CANARY}
    for token in tokens:
        for more in ({}, headers, {"Cookie": f"a={CANARY}"}):
            sent = {**bearer(token), **more}
            await client.http.post("/graphql", params={"token": CANARY}, json={"query": VIEWER}, headers=sent)
            async with asgi_socket(client, sent) as socket:
                await socket.init({"more": CANARY})
            async with asgi_socket(client) as socket:
                await socket.init({**sent, "Authorization": sent["Authorization"]})
        await client.http.post("/graphql", json={"query": VIEWER}, headers={"Authorization": f"{CANARY} {token}"})
    check(log, *tokens)


async def test_no_secret_is_logged_when_the_database_fails(client: Served, database: Database, log: Log) -> None:
    secret, _ = await api_key(database, name=CANARY)
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE users RENAME TO elsewhere"))
    await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(secret))
    named = sign(name=CANARY, sub=f"u-{CANARY}")
    await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(named))
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE api_keys RENAME TO elsewhere_too"))
    unknown = "mg_" + CANARY.ljust(43, "x")
    answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(unknown))
    assert answer.status_code == 503
    assert log.of("Credentials cannot be looked up")
    check(log, secret, named, unknown)


@on_sqlite
async def test_an_issuer_cannot_bring_secrets_into_the_log(serve: Serve, log: Log) -> None:
    async with serving(Issuer(RSA)) as issuer:
        RSA.ensure_kid()
        settings: dict[str, Any] = {"auth": "tokens", "oidc_issuer": issuer.url, "oidc_audience": "our-client"}
        for body in (response({"issuer": CANARY}), response({"jwks_uri": CANARY}), response(CANARY.encode())):
            issuer.override["/.well-known/openid-configuration"] = body
            async with serve(**settings) as client:
                token = issuer.sign(RSA, name=CANARY)
                await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(token))
        check(log, token)


def test_no_error_shows_the_secret() -> None:
    settings = CommandSettings(_env_file=None, token_secret=SECRET)
    assert SECRET not in repr(settings)
    token = sign()
    assert token not in repr(from_headers({"authorization": f"Bearer {token}"}))
    assert token not in repr(verification.parse(token))
    assert SECRET not in signing.token(settings, "u1", "local", None, lifetime_s=60)
