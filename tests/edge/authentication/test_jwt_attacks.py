"""Attacks on JWTs: each gets the same 401, and nothing is fetched from an address in a token."""

import asyncio
import hmac
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support.client import Served
from tests.support.tokens import EC, ED, RSA, SECRET, VIEWER, bearer, claims, public_pem, segment, sign

AUDIENCE, ISSUER = "marginalia", "https://us.example"
GOOD: dict[str, Any] = {"aud": AUDIENCE, "iss": ISSUER}

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def hs256(head: object, body: object, secret: bytes = SECRET.encode()) -> str:
    """Sign any header and any payload with the shared secret, as no library would."""
    signed = f"{segment(head)}.{segment(body)}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), sha256))}"


def head(**more: Any) -> dict[str, Any]:
    return {"alg": "HS256", "typ": "JWT", **more}


def body(**changed: Any) -> dict[str, Any]:
    return claims(**{**GOOD, **changed})


def with_text(name: str, text: str) -> str:
    """Return a payload in which a claim is written as this text."""
    return json.dumps(body(**{name: "MARK"})).replace('"MARK"', text)


def with_header(url: str) -> dict[str, str]:
    theirs = RSAKey.generate_key(2048)
    public = theirs.as_dict(private=False)
    return {
        "a jku": sign(theirs, {"jku": url}, **GOOD),
        "a jku in a token of ours": hs256(head(jku=url, kid="other"), body(iss=url)),
        "a jwk": sign(theirs, {"jwk": public}, **GOOD),
        "an x5u": sign(theirs, {"x5u": url}, **GOOD),
        "an x5c": sign(theirs, {"x5c": ["MIIB"]}, **GOOD),
        "a kid that is a URL": sign(theirs, {"kid": url}, **GOOD),
        "an issuer that is a URL": sign(theirs, iss=url, aud=AUDIENCE),
    }


ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: f"{segment({'alg': 'none'})}.{segment(body())}.",
    "alg none with a signature": lambda: f"{segment({'alg': 'none'})}.{segment(body())}.{segment('x')}",
    "alg None": lambda: f"{segment({'alg': 'None'})}.{segment(body())}.{segment('x')}",
    "no alg": lambda: hs256({"typ": "JWT"}, body()),
    "alg that is a list": lambda: hs256({"alg": ["HS256"]}, body()),
    "alg in lower case": lambda: hs256({"alg": "hs256"}, body()),
    "HS256 with the public key": lambda: hs256(head(), body(), public_pem(RSA).encode()),
    "HS256 with the public key, stripped": lambda: hs256(head(), body(), public_pem(RSA).strip().encode()),
    "HS256 with an empty secret": lambda: hs256(head(), body(), b""),
    "HS512": lambda: jws.serialize_compact(
        {"alg": "HS512"}, json.dumps(body()), OctKey.import_key(SECRET), algorithms=["HS512"]
    ),
    "PS256 with our key": lambda: jws.serialize_compact(
        {"alg": "PS256"}, json.dumps(body()), RSA, algorithms=["PS256"]
    ),
    "RS256 of another key": lambda: sign(RSAKey.generate_key(2048), **GOOD),
    "ES256 of another key": lambda: sign(ECKey.generate_key("P-256"), **GOOD),
    "EdDSA of another key": lambda: sign(OKPKey.generate_key("Ed25519"), **GOOD),
    "ES256 that is all zeros": lambda: f"{segment({'alg': 'ES256'})}.{segment(body())}.{segment(bytes(64))}",
    "ES256 in DER": lambda: f"{segment({'alg': 'ES256'})}.{segment(body())}.{segment(b'0E' + bytes(69))}",
    "a key of the wrong type": lambda: f"{segment({'alg': 'ES256'})}.{sign(RSA, **GOOD).split('.', 1)[1]}",
    "no aud": lambda: sign(iss=ISSUER),
    "another aud": lambda: sign(aud="others", iss=ISSUER),
    "an aud that only begins so": lambda: sign(aud=f"{AUDIENCE}.evil", iss=ISSUER),
    "other auds": lambda: sign(aud=["a", "b"], iss=ISSUER),
    "an aud that is an object": lambda: sign(aud={AUDIENCE: True}, iss=ISSUER),
    "no iss": lambda: sign(aud=AUDIENCE),
    "another iss": lambda: sign(aud=AUDIENCE, iss="https://evil.example"),
    "an iss that is a list": lambda: sign(aud=AUDIENCE, iss=[ISSUER]),
    "expired": lambda: sign(exp=int(time.time()) - 1, **GOOD),
    "expires now": lambda: sign(exp=int(time.time()), **GOOD),
    "no exp": lambda: hs256(head(), body(exp=None)),
    "exp that is a text": lambda: sign(exp="9999999999", **GOOD),
    "exp that is true": lambda: sign(exp=True, **GOOD),
    "exp that is null": lambda: hs256(head(), with_text("exp", "null")),
    "exp that is NaN": lambda: hs256(head(), with_text("exp", "NaN")),
    "exp that is infinite": lambda: hs256(head(), with_text("exp", "1e999")),
    "exp of too many digits": lambda: hs256(head(), with_text("exp", "9" * 5_000)),
    "exp far before": lambda: hs256(head(), with_text("exp", "-" + "9" * 400)),
    "not yet valid": lambda: sign(nbf=int(time.time()) + 300, **GOOD),
    "issued in the future": lambda: sign(iat=int(time.time()) + 300, **GOOD),
    "iat that is a list": lambda: sign(iat=[1], **GOOD),
    "an unknown crit": lambda: hs256(head(crit=["exp"], exp=1), body()),
    "a crit that is missing": lambda: hs256(head(crit=["https://x"]), body()),
    "an empty crit": lambda: hs256(head(crit=[]), body()),
    "a payload that is not encoded": lambda: hs256(head(b64=False, crit=["b64"]), body()),
    "a kid that is a path": lambda: sign(OctKey.import_key(b"\0" * 32), {"kid": "../../../../dev/null"}, **GOOD),
    "a kid that is SQL": lambda: sign(OctKey.import_key("x" * 32), {"kid": "' UNION SELECT 'x' --"}, **GOOD),
    "a kid that is a list": lambda: hs256(head(kid=["a"]), body()),
    "1 MB of claims": lambda: hs256(head(), body(more="x" * 1_000_000)),
    "1 MB of dots": lambda: "." * 1_000_000,
    "two signatures": lambda: hs256(head(), body()) + "." + segment("x"),
    "JWS in JSON": lambda: json.dumps(
        jws.serialize_json([{"protected": {"alg": "HS256"}}] * 2, json.dumps(body()), OctKey.import_key(SECRET))
    ).replace(" ", ""),
    "an encrypted token": lambda: ".".join([segment({"alg": "dir", "enc": "A128GCM"}), "", "eA", "eA", "eA"]),
    "whitespace within": lambda: hs256(head(), body()).replace(".", " .", 1),
    "a tab before": lambda: f"\t{hs256(head(), body())}",
    "padding": lambda: hs256(head(), body()) + "=",
    "a line break within": lambda: hs256(head(), body()).replace(".", "%0a.", 1),
    "bits beyond the signature": lambda: _last_character_changed(hs256(head(), body())),
    "a duplicate claim": lambda: hs256(head(), json.dumps(body())[:-1] + ', "role": "OWNER"}'),
    "a duplicate header": lambda: hs256('{"alg": "none", "alg": "HS256"}', body()),
    "nested claims": lambda: hs256(head(), "[" * 3_000 + "]" * 3_000),
    "nested deeply within": lambda: hs256(head(), with_text("name", '{"a":' * 2_000 + "1" + "}" * 2_000)),
    "a token in a token": lambda: hs256(head(cty="JWT"), hs256(head(), body())),
    "claims that are a list": lambda: hs256(head(), [body()]),
    "claims that are no JSON": lambda: hs256(head(), b"\xff\xfe"),
    "a header that is no object": lambda: hs256("5", body()),
    "non-ASCII": lambda: hs256(head(), body()) + "é",
    "no sub": lambda: sign(sub=None, **GOOD),
    "a sub that is a number": lambda: sign(sub=5, **GOOD),
    "a sub of an API key": lambda: sign(sub="key_01", **GOOD),
    "a sub of a guest": lambda: sign(sub="guest_01", **GOOD),
    "a sub with a NUL": lambda: sign(sub="a\0b", **GOOD),
    "a sub with half a surrogate pair": lambda: hs256(head(), with_text("sub", '"\\ud800"')),
    "a long sub": lambda: sign(sub="a" * 201, **GOOD),
    "no workspace": lambda: sign(workspace=None, **GOOD),
    "an unknown workspace": lambda: sign(workspace="unknown", **GOOD),
    "a workspace that is an object": lambda: sign(workspace={"id": "local"}, **GOOD),
    "no role": lambda: sign(role=None, **GOOD),
    "an unknown role": lambda: sign(role="ADMIN", **GOOD),
    "documents that are a list": lambda: sign(documents=["doc_a"], **GOOD),
    "the owner of a document": lambda: sign(documents={"doc_a": "OWNER"}, **GOOD),
    "an empty token": lambda: "",
    "a short API key": lambda: "mg_abc",
    "an unknown API key": lambda: "mg_" + "a" * 43,
    "an unknown share link": lambda: "mgl_" + "a" * 43,
}


def _last_character_changed(token: str) -> str:
    """Return a token whose last character differs in bits that encode nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@pytest.fixture
def strict(serve: Serve) -> Any:
    """Serve with a secret and public keys of all types, an issuer and an audience."""
    listed = json.dumps({"keys": [key.as_dict(private=False) for key in (RSA, EC, ED)]})
    return serve(
        auth="tokens", token_secret=SECRET, token_public_key=listed, token_issuer=ISSUER, token_audience=AUDIENCE
    )


async def refused(client: Served, authorization: str) -> bytes:
    """Insist that a token is refused, and return the body."""
    answer = await client.http.post(
        "/graphql", json={"query": VIEWER}, headers=[(b"Authorization", authorization.encode("utf-8", "surrogatepass"))]
    )
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    return answer.content


@on_sqlite
async def test_every_attack_gets_the_same_answer(strict: Any, log: Log) -> None:
    async with strict as client:
        for good in (sign(**GOOD), sign(RSA, **GOOD), sign(EC, **GOOD), sign(ED, **GOOD), hs256(head(), body())):
            answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=bearer(good))
            assert answer.status_code == 200, answer.text
        nobody = await client.http.post("/graphql", json={"query": VIEWER})
        for name, make in ATTACKS.items():
            assert await refused(client, f"Bearer {make()}") == nobody.content, name
        for scheme in ("Basic", "Token", "Bearer,", "BearerX", ""):
            assert await refused(client, f"{scheme} {sign(**GOOD)}") == nobody.content, scheme
    assert nobody.status_code == 401
    assert nobody.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    refusals = [record for record in log.of("request refused") if record["status"] == 401]
    assert len(refusals) == 1 + len(ATTACKS) + 5
    assert all(record["reason"] and record["level"] == "info" for record in refusals)
    assert not log.complaints()


@on_sqlite
async def test_nothing_is_fetched_from_an_address_in_a_token(strict: Any) -> None:
    asked: list[int] = []

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server, strict as client:
        for token in with_header(url).values():
            await refused(client, f"Bearer {token}")
    assert not asked


@on_sqlite
async def test_two_tokens_are_none(strict: Any) -> None:
    async with strict as client:
        headers = [("Authorization", f"Bearer {sign(**GOOD)}")] * 2
        answer = await client.http.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert answer.status_code == 401
