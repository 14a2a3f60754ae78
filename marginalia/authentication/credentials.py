"""Credentials: what a request carries to say who sends it. They come from headers, never from the URL."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
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


class Credentials(NamedTuple):
    """A bearer token, and for whom it is used: as it was sent, and checked when it is asked for."""

    authorization: str | None = None
    user: str | None = None
    sent_guest_name: str | None = None
    sent_guest_id: str | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"  # never the token

    @property
    def token(self) -> str | None:
        """The bearer token. None: there is no `Authorization`. Raises `Unauthenticated`."""
        if self.authorization is None:
            return None
        if len(self.authorization) > MAX_TOKEN_CHARACTERS:
            raise Unauthenticated("the token is too long")
        if found := _BEARER.fullmatch(self.authorization):
            return found[1]
        raise Unauthenticated("Authorization is not 'Bearer' and a token")

    @property
    def user_id(self) -> str | None:
        """The user of its workspace that an API key acts for. Raises `Unauthenticated`."""
        if self.user is not None and not is_user_id(self.user):
            raise Unauthenticated("Marginalia-User is not the id of a user")
        return self.user

    @property
    def guest_id(self) -> str | None:
        """What tells guests with the same name apart. Raises `Unauthenticated`."""
        if self.sent_guest_id is not None and not 0 < len(self.sent_guest_id) <= MAX_ID_CHARACTERS:
            raise Unauthenticated(f"Marginalia-Guest-Id is not 1 to {MAX_ID_CHARACTERS} characters")
        return self.sent_guest_id

    @property
    def guest_name(self) -> str | None:
        """The name of a guest, which headers carry percent-encoded. None: there is none. Raises `Unauthenticated`."""
        if self.sent_guest_name is None:
            return None
        try:
            return one_line(unquote_to_bytes(self.sent_guest_name).decode()) or None
        except UnicodeError:
            raise Unauthenticated("Marginalia-Guest-Name is not percent-encoded UTF-8") from None


def from_headers(headers: Mapping[str, str]) -> Credentials:
    """Return the credentials of a request from its headers, by lower-case name."""
    if AUTHORIZATION not in headers:
        return _NOBODY
    return Credentials(*[_utf_8(headers.get(name)) for name in NAMES])


def from_payload(payload: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Credentials:
    """Return the credentials of a socket from the payload of `connection_init`; what it omits, from the handshake."""
    sent = {key.lower(): value for key, value in (payload or {}).items() if value is not None}
    # What is no text is not valid either.
    texts = {name: value if isinstance(value, str) else "" for name, value in sent.items()}
    return Credentials(*[texts.get(name, _utf_8(headers.get(name))) for name in NAMES])


_NOBODY = Credentials()


def _utf_8(header: str | None) -> str | None:
    """Decode a header that was read as Latin-1, as HTTP libraries do."""
    return header if header is None or header.isascii() else header.encode("latin-1").decode(errors="replace")


def is_user_id(given: str) -> bool:
    """Whether a token may name a user so. Ids of keys and guests are ours to give."""
    return (
        0 < len(given) <= MAX_ID_CHARACTERS
        and given.isprintable()
        and "\ufffd" not in given
        and given == given.strip()
        and not given.startswith(RESERVED)
    )


RESERVED = ("key_", "guest_")
"""How the user ids begin that only we give."""


def one_line(text: str) -> str:
    """Return a name on one line, without control characters, shortened to the limit."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_NAME_CHARACTERS])
    return " ".join(shown.split())[:MAX_NAME_CHARACTERS].rstrip()
