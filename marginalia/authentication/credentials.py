"""Credentials: what a request carries to say who sends it. They come from headers, never from the URL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from marginalia.authentication.session import Unauthenticated

AUTHORIZATION, USER = "authorization", "marginalia-user"
GUEST_NAME, GUEST_ID = "marginalia-guest-name", "marginalia-guest-id"
NAMES = (AUTHORIZATION, USER, GUEST_NAME, GUEST_ID)
"""The names of the headers, in lower case. In the payload of `connection_init` they may have any case."""

MAX_TOKEN_CHARACTERS = 16_000
MAX_ID_CHARACTERS = 200
MAX_NAME_CHARACTERS = 200

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, and for whom it is used."""

    token: str | None = None
    user_id: str | None = None
    """The user of its workspace that an API key acts for."""
    guest_name: str | None = None
    guest_id: str | None = None


def from_headers(headers: Mapping[str, str]) -> Credentials:
    """Read the credentials of a request from its headers, by lower-case name. Raises `Unauthenticated`."""
    if AUTHORIZATION not in headers:
        return _NOBODY
    return _read({name: _utf_8(headers[name]) for name in NAMES if name in headers})


def from_payload(payload: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Credentials:
    """Read the credentials of a socket from the payload of `connection_init`; what it omits, from the handshake.

    Raises `Unauthenticated`.
    """
    given = {name: _utf_8(headers[name]) for name in NAMES if name in headers}
    for key, value in (payload or {}).items():
        if (name := key.lower()) in NAMES and value is not None:
            if not isinstance(value, str):
                raise Unauthenticated(f"{name} is not a text")
            given[name] = value
    return _read(given)


def _read(given: Mapping[str, str]) -> Credentials:
    authorization = given.get(AUTHORIZATION)
    if authorization is None:
        return _NOBODY
    return Credentials(
        _token(authorization),
        _user_id(given.get(USER)),
        _guest_name(given.get(GUEST_NAME)),
        _id(given.get(GUEST_ID), GUEST_ID),
    )


_NOBODY = Credentials()


def _utf_8(header: str) -> str:
    """Decode a header that was read as Latin-1, as HTTP libraries do. Raises `Unauthenticated`."""
    try:
        return header if header.isascii() else header.encode("latin-1").decode()
    except UnicodeError:
        raise Unauthenticated("a header is not UTF-8") from None


def _token(authorization: str) -> str:
    if len(authorization) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the token is too long")
    if found := _BEARER.fullmatch(authorization):
        return found[1]
    raise Unauthenticated("Authorization is not 'Bearer' and a token")


def _user_id(given: str | None) -> str | None:
    if given is not None and not is_user_id(given):
        raise Unauthenticated(f"{USER} is not the id of a user")
    return given


def _id(given: str | None, name: str) -> str | None:
    if given is not None and not 0 < len(given) <= MAX_ID_CHARACTERS:
        raise Unauthenticated(f"{name} is not 1 to {MAX_ID_CHARACTERS} characters")
    return given


def _guest_name(given: str | None) -> str | None:
    """Decode the percent-encoded name: headers carry ASCII only."""
    if given is None:
        return None
    try:
        return one_line(unquote_to_bytes(given).decode()) or None
    except UnicodeError:
        raise Unauthenticated(f"{GUEST_NAME} is not percent-encoded UTF-8") from None


def is_user_id(given: str) -> bool:
    """Whether a token may name a user so. Ids of keys and guests are ours to give."""
    return (
        0 < len(given) <= MAX_ID_CHARACTERS
        and given.isprintable()
        and given == given.strip()
        and not given.startswith(RESERVED)
    )


RESERVED = ("key_", "guest_")
"""How the user ids begin that only we give."""


def one_line(text: str) -> str:
    """Return a name on one line, without control characters, shortened to the limit."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_NAME_CHARACTERS])
    return " ".join(shown.split())[:MAX_NAME_CHARACTERS].rstrip()
