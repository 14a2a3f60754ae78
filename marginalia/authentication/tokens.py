"""Token authentication: a bearer token, or nobody."""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import structlog

from db import workspaces
from db.connection.database import Database
from db.users import Profile
from marginalia.authentication import api_keys, oidc, share_links, signed_tokens, verification
from marginalia.authentication.api_keys import ApiKeys
from marginalia.authentication.background import Background
from marginalia.authentication.bounded import Bounded
from marginalia.authentication.claims import identify
from marginalia.authentication.credentials import MAX_TOKEN_CHARACTERS, Credentials
from marginalia.authentication.fresh_lookups import FreshLookups
from marginalia.authentication.profiles import Profiles
from marginalia.authentication.session import Session, Unauthenticated
from marginalia.authentication.settings import AuthenticationSettings
from marginalia.authentication.share_links import ShareLinks
from marginalia.authentication.verification import LATEST

MAX_VERIFIED = 10_000
"""How many verified JWTs a process remembers, by digest."""

_log = structlog.stdlib.get_logger("marginalia.authentication")


class _Verified(NamedTuple):
    """A JWT that was verified."""

    session: Session
    profile: Profile


class TokenAuthentication:
    """Signed tokens, tokens of an OIDC issuer, API keys and share links."""

    def __init__(self, settings: AuthenticationSettings, database: Database) -> None:
        """Read the keys, and fetch nothing yet. Raises `BadKey`."""
        self._signed = signed_tokens.from_settings(settings)
        self._issued = oidc.from_settings(settings)
        self._background = Background()
        self._keys = ApiKeys(database, self._background)
        self._links = ShareLinks(database)
        self._profiles = Profiles(database)
        self._verified: Bounded[bytes, _Verified] = Bounded(MAX_VERIFIED)
        self._workspaces = _KnownWorkspaces(database, create=settings.new_workspaces == "create")

    async def authenticate(self, credentials: Credentials) -> Session:
        """Return the session of a token.

        Raises `Unauthenticated`; or `AuthenticationUnavailable` or `DatabaseUnavailable`, if nobody can tell.
        """
        session, profile = self._known(credentials) or await self._authenticated(credentials)
        if not self._profiles.knows(profile):
            await self._profiles.remember(profile)
        return session

    async def close(self) -> None:
        """End what is under way."""
        if self._issued is not None:
            await self._issued.close()
        await self._background.close()

    async def _authenticated(self, credentials: Credentials) -> tuple[Session, Profile]:
        token = credentials.token
        if token is None:
            raise Unauthenticated("there is no token")
        if token.startswith(api_keys.PREFIX):
            return await self._keys.authenticate(credentials)
        if credentials.user is not None:
            raise Unauthenticated("Marginalia-User goes with an API key only")
        if token.startswith(share_links.PREFIX):
            return await self._links.authenticate(credentials)
        verified = await self._verify(token)
        self._verified.put(_digest(credentials), verified)
        return verified

    def _known(self, credentials: Credentials) -> _Verified | None:
        """Return the JWT that was verified before, at the cost of a look-up. Raises `Unauthenticated` if it is over."""
        authorization = credentials.authorization
        if authorization is None or len(authorization) > MAX_TOKEN_CHARACTERS or credentials.user is not None:
            return None
        digest = _digest(credentials)
        verified = self._verified.get(digest)
        if verified is not None and verified.session.end:
            self._verified.drop(digest)
            raise Unauthenticated("the token has expired")
        return verified

    async def _verify(self, token: str) -> _Verified:
        unverified = verification.parse(token)
        if self._issued is not None and unverified.issuer == self._issued.issuer:
            claims, names = await self._issued.claims(unverified), self._issued.names
        elif self._signed is not None:
            claims, names = await self._signed.claims(unverified), self._signed.names
        else:
            raise Unauthenticated(
                "there is no key for JWTs",
                "MARGINALIA_TOKEN_SECRET_FILE, MARGINALIA_TOKEN_PUBLIC_KEY_FILE or MARGINALIA_OIDC_ISSUER gives one",
            )
        principal, profile = identify(claims, names, time.time())
        await self._workspaces.require(principal.workspace_id)
        return _Verified(Session(principal, float(min(claims["exp"], LATEST))), profile)


def _digest(credentials: Credentials) -> bytes:
    return sha256((credentials.authorization or "").encode("utf-8", "surrogatepass")).digest()


class _KnownWorkspaces:
    """The workspaces that tokens name."""

    def __init__(self, database: Database, *, create: bool) -> None:
        self._database = database
        self._create = create
        self._existing = FreshLookups(self._read)

    async def require(self, workspace_id: str) -> None:
        """Let a token of this workspace pass. Raises `Unauthenticated` if there is none, and it is not created."""
        if await self._existing.find(workspace_id):
            return
        if not self._create:
            raise Unauthenticated(
                "the workspace does not exist",
                "python -m marginalia workspace create, or MARGINALIA_NEW_WORKSPACES=create",
            )
        if await workspaces.create(self._database, workspace_id):
            _log.info("created a workspace for a token", workspace=workspace_id)

    async def _read(self, workspace_ids: Sequence[str]) -> dict[str, bool]:
        return dict(await workspaces.existing(self._database, workspace_ids))
