"""OIDC issuers: their keys are fetched when needed, seldom, and kept while they are down."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from db.connection.database import Database
from marginalia.authentication import published
from marginalia.authentication.credentials import Credentials
from marginalia.authentication.issuer_keys import IssuerKeys
from marginalia.authentication.session import Unauthenticated
from marginalia.authentication.tokens import TokenAuthentication
from marginalia.settings import Settings
from tests.conftest import Serve
from tests.edge.authentication.conftest import viewer
from tests.edge.conftest import Log
from tests.support.issuer import AUDIENCE, Issuer, response, serving
from tests.support.tokens import SECRET, claims, segment, sign

DISCOVERY = "/.well-known/openid-configuration"
U1 = {"id": "user_u1", "role": "EDITOR", "workspace": "ws_local"}
INTERVAL_S = 0.3

KEYS: list[Key] = [RSAKey.generate_key(2048, {"kid": "one"}), ECKey.generate_key("P-256", {"kid": "two"})]
NEW = OKPKey.generate_key("Ed25519", {"kid": "three"})

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _set(monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
    """Set a default of the class that fetches the keys."""
    defaults = IssuerKeys.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, name, seconds)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let keys be fetched more often than an issuer would like."""
    _set(monkeypatch, "min_interval", INTERVAL_S)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving(Issuer(*KEYS)) as serving_issuer:
        yield serving_issuer


def settings(issuer: Issuer, **more: Any) -> dict[str, Any]:
    algorithms = ["RS256", "ES256", "Ed25519"]
    return {
        "auth": "tokens",
        "oidc_issuer": issuer.url,
        "oidc_audience": AUDIENCE,
        "oidc_algorithms": algorithms,
        **more,
    }


async def test_tokens_of_an_issuer_say_who_asks(serve: Serve, issuer: Issuer) -> None:
    async with serve(**settings(issuer)) as client:
        assert not issuer.asked, "nothing is fetched before a token needs it"
        for key in KEYS * 2:
            assert await viewer(client, issuer.sign(key)) == U1
        assert issuer.asked == {DISCOVERY: 1, "/keys": 1}
        for bad in (issuer.sign(KEYS[0], aud="others"), issuer.sign(KEYS[0], aud=None), issuer.sign(KEYS[0], exp=1)):
            assert await viewer(client, bad) == 401
        forged = sign(RSAKey.generate_key(2048), {"kid": "one"}, iss=issuer.url, aud=AUDIENCE)
        shared = sign(OctKey.import_key(SECRET), {"kid": "one"}, iss=issuer.url, aud=AUDIENCE)
        none = (
            f"{segment({'alg': 'none', 'kid': 'one'})}.{segment(claims(iss=issuer.url, aud=AUDIENCE))}.{segment('x')}"
        )
        for bad in (forged, shared, none):
            assert await viewer(client, bad) == 401
        assert issuer.asked == {DISCOVERY: 1, "/keys": 1}


async def test_claims_are_where_the_settings_say(serve: Serve, issuer: Issuer) -> None:
    named = {
        "oidc_user_claim": "oid",
        "oidc_workspace_claim": "https://us.example/tenant",
        "oidc_role_claim": "realm_access.roles",
        "oidc_name_claim": "preferred_username",
    }
    token = issuer.sign(
        KEYS[0],
        oid="o1",
        preferred_username="Ann",
        workspace=None,
        role="OWNER",
        realm_access={"roles": ["offline_access", "COMMENTER", "EDITOR"]},
        **{"https://us.example/tenant": "local"},
    )
    async with serve(**settings(issuer, **named)) as client:
        assert await viewer(client, token) == {**U1, "id": "user_o1"}
    async with serve(**settings(issuer, oidc_workspace="local", oidc_role_claim="nothing")) as client:
        assert await viewer(client, token) == {**U1, "role": "READER"}
        assert await viewer(client, issuer.sign(KEYS[0], workspace="acme", documents={"a": "READER"})) == {
            **U1,
            "role": "READER",
        }
    async with serve(**settings(issuer, oidc_role_claim="nothing", oidc_role="none")) as client:
        assert await viewer(client, issuer.sign(KEYS[0])) == 401


async def test_an_issuer_and_a_secret_serve_side_by_side(serve: Serve, issuer: Issuer) -> None:
    async with serve(**settings(issuer, token_secret=SECRET)) as client:
        assert await viewer(client, sign()) == U1
        assert await viewer(client, issuer.sign(KEYS[0])) == U1
        assert await viewer(client, sign(iss=issuer.url, aud=AUDIENCE)) == 401, "the secret is not the issuer's"


@pytest.mark.slow
async def test_unknown_key_ids_cause_one_fetch_an_interval(issuer: Issuer, database: Database) -> None:
    loop = asyncio.get_running_loop()
    rest = sign(ECKey.generate_key("P-256"), iss=issuer.url, aud=AUDIENCE).split(".", 1)[1]
    forged = [f"{segment({'alg': 'ES256', 'kid': f'kid-{number}'})}.{rest}" for number in range(3_000)]
    authentication = TokenAuthentication(Settings(_env_file=None, **settings(issuer)), database)

    async def session(token: str) -> object:
        return await authentication.authenticate(Credentials(f"Bearer {token}"))

    began = loop.time()
    for at in range(0, len(forged), 1_000):
        answers = await asyncio.gather(*map(session, forged[at : at + 1_000]), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unauthenticated}
    assert issuer.asked["/keys"] <= 2 + (loop.time() - began) / INTERVAL_S
    await session(issuer.sign(KEYS[1]))
    await authentication.close()


async def test_callers_share_a_fetch(serve: Serve, issuer: Issuer) -> None:
    issuer.waits.clear()
    async with serve(**settings(issuer)) as client:
        asking = [asyncio.create_task(viewer(client, issuer.sign(KEYS[0], sub=f"u{number}"))) for number in range(50)]
        await asyncio.sleep(0.1)
        issuer.waits.set()
        assert all(isinstance(answer, dict) for answer in await asyncio.gather(*asking))
    assert issuer.asked == {DISCOVERY: 1, "/keys": 1}


@pytest.mark.slow
async def test_a_rotation_loses_no_one(serve: Serve, issuer: Issuer) -> None:
    async with serve(**settings(issuer)) as client:
        old = issuer.sign(KEYS[0])
        assert await viewer(client, old) == U1
        assert await viewer(client, issuer.sign(ECKey.generate_key("P-256", {"kid": "unknown"}))) == 401
        issuer.keys = [NEW, *KEYS]
        # Just after a fetch that an attacker caused: the user waits for the next one.
        assert await viewer(client, issuer.sign(NEW)) == U1
        issuer.keys = [NEW]
        assert await viewer(client, old) == U1


@pytest.mark.slow
async def test_an_outage_loses_no_one(serve: Serve, log: Log) -> None:
    async with serving(Issuer(*KEYS)) as issuer, serve(**settings(issuer)) as client:
        issuer.override["/keys"] = response(b"", "500 Internal Server Error")
        assert await viewer(client, issuer.sign(KEYS[0])) == 503, "nobody can tell"
        issuer.override.clear()
        await asyncio.sleep(INTERVAL_S)
        assert await viewer(client, issuer.sign(KEYS[0])) == U1

        issuer.override["/keys"] = response(b"", "500 Internal Server Error")
        assert await viewer(client, issuer.sign(NEW)) == 503, "the key may be new"
        for number in range(20):
            assert await viewer(client, issuer.sign(KEYS[number % 2], sub=f"u{number}")) == {
                **U1,
                "id": f"user_u{number}",
            }
        issuer.override.clear()
        issuer.keys = [NEW]
        await asyncio.sleep(INTERVAL_S)
        assert await viewer(client, issuer.sign(NEW)) == U1
    downs = [record for record in log.complaints() if "cannot be fetched" in record["event"]]
    assert len(downs) == 2, "each outage is told once"


@pytest.mark.slow
async def test_old_keys_are_kept_while_the_issuer_is_gone(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, "max_age", 0.0)
    issuer = Issuer(*KEYS)
    async with serving(issuer):
        port = urlsplit(issuer.url).port
        arrangement = serve(**settings(issuer))
        client = await arrangement.__aenter__()
        assert await viewer(client, issuer.sign(KEYS[0])) == U1
    for number in range(5):
        assert isinstance(await viewer(client, issuer.sign(KEYS[0], sub=f"u{number}")), dict)
        await asyncio.sleep(INTERVAL_S / 2)
    issuer.keys = [NEW]
    assert port is not None
    async with serving(issuer, port):
        async with asyncio.timeout(20):
            while await viewer(client, issuer.sign(KEYS[0], sub="another")) != 401:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)
        assert await viewer(client, issuer.sign(NEW)) == U1, "a withdrawn key ends once the issuer is back"
    await arrangement.__aexit__(None, None, None)


HUGE = b'{"keys": [' + b" " * published.LARGEST_DOCUMENT + b"]}"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, response({"issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1:1/"})),
        (DISCOVERY, response({"jwks_uri": 5})),
        (DISCOVERY, response([1])),
        (DISCOVERY, response(b"<html>")),
        (DISCOVERY, response(b"[" * 100_000)),
        (DISCOVERY, response(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n")),
        (DISCOVERY, b"nonsense\r\n\r\n"),
        ("/keys", response(HUGE)),
        ("/keys", response({"keys": "none"})),
        ("/keys", response({"keys": [5, None, {}, {"kty": "RSA"}, {"kty": "new"}]})),
        ("/keys", response({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]})),
        ("/keys", response({"keys": [{**KEYS[0].as_dict(private=False), "use": "enc"}]})),
        ("/keys", response(b"", "404 Not Found")),
        ("/keys", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    ],
)
async def test_an_issuer_that_misbehaves_is_told_and_gives_no_keys(
    serve: Serve, issuer: Issuer, path: str, answer: bytes, log: Log
) -> None:
    issuer.override[path] = answer
    async with serve(**settings(issuer)) as client:
        assert await viewer(client, issuer.sign(KEYS[0])) == 503
    complaints = log.complaints()
    assert [record["event"] for record in complaints if "OIDC" in record["event"]] == [
        "The keys of the OIDC issuer cannot be fetched; those that are known stay"
    ]
    assert not [record for record in complaints if "exception" in record]


async def test_the_address_of_the_keys_must_be_safe(serve: Serve, issuer: Issuer) -> None:
    issuer.override[DISCOVERY] = response({"issuer": issuer.url, "jwks_uri": "http://issuer.example/keys"})
    async with serve(**settings(issuer)) as client:
        assert await viewer(client, issuer.sign(KEYS[0])) == 503
    assert published.is_safe("https://issuer.example")
    assert not any(map(published.is_safe, ("http://issuer.example", "file:///etc/passwd", "https://", "http://[", "x")))
