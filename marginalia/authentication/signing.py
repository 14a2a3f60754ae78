"""Signing: tokens made here, with the secret that also verifies them, and the secret itself."""

import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from joserfc import jwt

from db.principals import Role
from marginalia.authentication import keys, signed_tokens
from marginalia.authentication.claims import is_workspace_id
from marginalia.authentication.credentials import is_user_id
from marginalia.authentication.settings import AuthenticationSettings, BadKey

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


class BadToken(ValueError):
    """A token like this would be refused. The text is one line for the operator."""


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as `90s`, `15m`, `12h` or `30d`. Raises `BadToken`."""
    found = _DURATION.fullmatch(duration.strip())
    if found is None or int(found[1]) == 0:
        raise BadToken(f"{duration!r} is no time such as 90s, 15m, 12h or 30d.")
    return int(found[1]) * _SECONDS[found[2]]


def token(
    settings: AuthenticationSettings,
    user_id: str,
    workspace_id: str,
    role: Role | None,
    *,
    lifetime_s: int,
    name: str | None = None,
    avatar: str | None = None,
    documents: Mapping[str, Role] | None = None,
) -> str:
    """Return a JWT signed with the secret in the settings. Raises `BadKey` and `BadToken`."""
    configured = signed_tokens.secret_from_settings(settings)
    if configured is None:
        raise BadKey(
            "There is no secret to sign a token with: set MARGINALIA_TOKEN_SECRET_FILE to a file that "
            "`python -m marginalia secret FILE` makes, or MARGINALIA_TOKEN_SECRET."
        )
    if not is_user_id(user_id):
        raise BadToken("The id of a user has 1 to 200 printable characters, and does not begin with key_ or guest_.")
    if not is_workspace_id(workspace_id):
        raise BadToken("The id of a workspace has 1 to 200 visible characters.")
    now = int(time.time())
    claims = {
        "sub": user_id,
        "workspace": workspace_id,
        "role": role.name if role else None,
        "name": name,
        "avatar": avatar,
        "documents": {key: value.name for key, value in documents.items()} if documents else None,
        "iss": settings.token_issuer,
        "aud": settings.token_audience,
        "iat": now,
        "exp": now + lifetime_s,
    }
    given = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode({"alg": "HS256"}, given, keys.secret_key(*configured), algorithms=["HS256"])


def write_secret(file: Path) -> None:
    """Write a new secret of 256 random bits into a new file that only its owner may read. Raises `BadKey`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise BadKey(f"{file} exists already. A new secret would make every token of the old one invalid.") from None
    except (OSError, ValueError) as error:
        raise BadKey(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    with open(opened, "w") as written:
        written.write(f"{secrets.token_urlsafe(32)}\n")
