"""Share links: their holders are guests with a role on one document."""

import re
from datetime import UTC, datetime
from hashlib import sha256

from db import credential_lookups
from db.connection.database import Database
from db.credentials import digest as credentials_digest
from db.models import UserKind
from db.principals import Principal
from db.users import Profile
from marginalia.authentication.credentials import Credentials
from marginalia.authentication.fresh_lookups import FreshLookups
from marginalia.authentication.session import Session, Unauthenticated

PREFIX = "mgl_"

NAMELESS = "Guest"
"""The name of a guest who gave none."""

_SECRET = re.compile(r"mgl_[A-Za-z0-9_-]{43}")


class ShareLinks:
    """The share links of all workspaces."""

    def __init__(self, database: Database) -> None:
        self._found = FreshLookups(lambda digests: credential_lookups.links(database, digests))

    async def authenticate(self, credentials: Credentials) -> tuple[Session, Profile]:
        """Return the session of a link, and how the guest is named.

        Raises `Unauthenticated` and `DatabaseUnavailable`.
        """
        secret = credentials.token or ""
        if not _SECRET.fullmatch(secret):
            raise Unauthenticated("the share link has not the form of one")
        digest = credentials_digest(secret)
        link = await self._found.find(digest)
        if link is None:
            raise Unauthenticated("there is no such share link")
        if link.is_revoked:
            raise Unauthenticated("the share link is revoked")

        async def is_valid() -> bool:
            now = await self._found.find(digest)
            return now is not None and not now.is_revoked

        guest_id = guest(link.id, credentials)
        principal = Principal(guest_id, link.workspace_id, None, UserKind.GUEST, {link.document_id: link.role})
        session = Session(principal, None if link.expires_at is None else link.expires_at.timestamp(), is_valid)
        if session.end:
            raise Unauthenticated("the share link has expired")
        name = credentials.guest_name or NAMELESS
        named_at = datetime.now(UTC) if credentials.guest_name else None
        return session, Profile(link.workspace_id, guest_id, UserKind.GUEST, name, None, named_at)


def guest(link_id: str, credentials: Credentials) -> str:
    """Return the user id of a guest: the same for the same guest id, or else the same name, on the same link."""
    who = credentials.guest_id or credentials.guest_name or ""
    return "guest_" + sha256(f"{link_id}\0{who}".encode("utf-8", "surrogatepass")).hexdigest()[:20]
