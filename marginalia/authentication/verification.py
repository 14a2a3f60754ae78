"""Verification of JWTs: their form, their signature, and the claims that limit their use."""

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from marginalia.authentication.credentials import MAX_TOKEN_CHARACTERS
from marginalia.authentication.session import Unauthenticated

CLOCK_SKEW_S = 30
"""How far the clock of an issuer may be ahead of ours. A token never lives longer for it."""

LATEST = 253_402_300_799.0
"""The end of the year 9999. A later `exp` counts as this."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class _Registry(JWSRegistry):
    """The algorithms of a key, and no others. The limits are those of a whole token."""

    max_header_length = max_payload_length = max_signature_length = MAX_TOKEN_CHARACTERS

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return an algorithm. The library's own method warns of EdDSA, which has a second name since RFC 9864."""
        if not self.allowed or name not in self.allowed:
            raise JoseError
        return self.algorithms[name]


@dataclass(frozen=True)
class UnverifiedToken:
    """A token in the form of a JWT. Nothing in it may be believed, only be used to choose the keys."""

    text: str = field(repr=False)
    algorithm: str
    key_id: str | None
    issuer: object


@dataclass(frozen=True)
class Requirements:
    """What the claims of an issuer's tokens must say."""

    issuer: str | None
    """None: tokens may name any issuer or none."""
    audience: str | None
    """None: tokens must name no audience."""
    audience_setting: str
    """The environment variable of the audience, for the log."""


def parse(text: str) -> UnverifiedToken:
    """Parse a token. Raises `Unauthenticated`."""
    if len(text) > MAX_TOKEN_CHARACTERS or not _COMPACT.fullmatch(text):
        raise Unauthenticated("the token is not a JWT")
    head, body, _ = text.split(".")
    header, claims = _object(head), _object(body)
    algorithm, key_id = header.get("alg"), header.get("kid")
    # We know no extension that a token could require, and b64 changes what is signed.
    if "crit" in header or "b64" in header:
        raise Unauthenticated("the token requires an extension")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise Unauthenticated("the header of the token is not valid")
    return UnverifiedToken(text, algorithm, key_id, claims.get("iss"))


def verify(token: UnverifiedToken, keys: Sequence[Key], algorithms: Collection[str], required: Requirements) -> Any:
    """Return the claims of a token that one of the keys has signed. Raises `Unauthenticated`."""
    if token.algorithm not in algorithms:
        raise Unauthenticated("the algorithm of the token is not allowed")
    registry = _Registry(algorithms=[token.algorithm], strict_check_header=False)
    for key in keys:
        try:
            signed = jws.deserialize_compact(token.text, key, registry=registry)
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        claims = _decoded(signed.payload or b"")
        _check(claims, required)
        return claims
    raise Unauthenticated("no key has signed the token")


def _check(claims: Mapping[str, Any], required: Requirements) -> None:
    if required.issuer is not None and claims.get("iss") != required.issuer:
        raise Unauthenticated("the token is from another issuer")
    if required.audience is None and "aud" in claims:
        raise Unauthenticated(
            "the token is for an audience, and none is configured", f"{required.audience_setting} names the audience"
        )
    registry = JWTClaimsRegistry(leeway=CLOCK_SKEW_S, exp={"essential": True})
    if required.audience is not None:
        registry.options["aud"] = {"essential": True, "value": required.audience}
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise Unauthenticated("the token has expired") from None
    except InvalidClaimError as error:
        raise Unauthenticated(f"the claim {error.claim} is not valid") from None
    except JoseError:
        raise Unauthenticated("a claim is missing") from None
    if claims["exp"] <= time.time():  # without the skew that the registry allows for
        raise Unauthenticated("the token has expired")


def _object(segment: str) -> dict[str, Any]:
    try:
        return _decoded(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:
        raise Unauthenticated("the token is not a JWT") from None


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        decoded = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        raise Unauthenticated("the token is not a JWT") from None
    if not isinstance(decoded, dict):
        raise Unauthenticated("the token is not a JWT")
    return decoded


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 7519, 4: two parsers may take different ones of two claims with the same name.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
