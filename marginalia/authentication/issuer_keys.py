"""Issuer keys: the keys that an OIDC issuer publishes, fetched when a token needs them, and kept while it is down."""

import asyncio
import time
from collections.abc import Collection, Sequence
from contextvars import Context

import structlog
from joserfc.jwk import Key

from marginalia.authentication import published
from marginalia.authentication.keys import algorithms_of, published_keys
from marginalia.authentication.published import FetchFailed
from marginalia.authentication.session import AuthenticationUnavailable
from marginalia.authentication.settings import BadKey
from marginalia.authentication.verification import UnverifiedToken

MIN_INTERVAL_S = 5.0
"""The shortest time between the starts of two fetches, whatever tokens name."""

MAX_AGE_S = 600.0
"""After how long keys are fetched anew in the background, so that those withdrawn by the issuer end."""

FETCH_TIMEOUT_S = 15.0
"""How long a fetch may take altogether."""

MAX_WAITING = 1_000
"""How many requests may wait for the next fetch. A client that makes up key ids can bring no more memory into use."""

_log = structlog.stdlib.get_logger("marginalia.authentication")


class IssuerKeys:
    """The published keys of one issuer."""

    def __init__(self, issuer: str, *, min_interval: float = MIN_INTERVAL_S, max_age: float = MAX_AGE_S) -> None:
        """Fetch nothing yet. Raises `BadKey` if the URL of the issuer is not safe."""
        if not published.is_safe(issuer):
            raise BadKey("MARGINALIA_OIDC_ISSUER is not an https URL, nor an http URL of this machine.")
        self._issuer = issuer
        self._min_interval, self._max_age = min_interval, max_age
        self._keys: Sequence[Key] = ()
        self._began: float | None = None
        """The start of the last fetch that was tried."""
        self._fetched_at: float | None = None
        """The start of the last fetch that succeeded."""
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._is_down = False

    async def find(self, token: UnverifiedToken, algorithms: Collection[str]) -> Sequence[Key]:
        """Return the keys that may have signed a token; none, if the issuer publishes none for it.

        A token that names a new key waits for the next fetch. Raises `AuthenticationUnavailable` if that fails.
        """
        if token.algorithm not in algorithms:
            return ()
        if found := self._suitable(token):
            if self._fetched_at is not None and time.monotonic() - self._fetched_at >= self._max_age:
                self._begin()
            return found
        if self._waiting >= MAX_WAITING:
            raise AuthenticationUnavailable("too many tokens wait for the keys of the issuer")
        self._waiting += 1
        asked = time.monotonic()
        try:
            # A fetch that began before the token came may have read the keys before the issuer changed them.
            while self._began is None or self._began < asked:
                if self._is_resting():
                    break
                await asyncio.shield(self._begin())
        finally:
            self._waiting -= 1
        found = self._suitable(token)
        if not found and self._is_down:
            raise AuthenticationUnavailable("the keys of the issuer cannot be fetched")
        return found

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _is_resting(self) -> bool:
        """Whether the last fetch failed just now: waiting for the next one would only hold the client up."""
        is_running = self._fetching is not None and not self._fetching.done()
        return (
            self._is_down
            and not is_running
            and self._began is not None
            and time.monotonic() < self._began + self._min_interval
        )

    def _suitable(self, token: UnverifiedToken) -> Sequence[Key]:
        return [key for key in self._keys if token.algorithm in algorithms_of(key) and token.key_id in (None, key.kid)]

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), context=Context())
        return self._fetching

    async def _fetch(self) -> None:
        if self._began is not None:
            await asyncio.sleep(self._began + self._min_interval - time.monotonic())
        began = self._began = time.monotonic()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                keys = await self._published()
        except (FetchFailed, TimeoutError) as error:
            if not self._is_down:
                reason = str(error) or "it took too long"
                _log.warning("The keys of the OIDC issuer cannot be fetched; those that are known stay", reason=reason)
            self._is_down = True
            return
        self._keys, self._fetched_at, self._is_down = keys, began, False
        _log.info("fetched the keys of the OIDC issuer", keys=len(keys))

    async def _published(self) -> Sequence[Key]:
        found = await published.fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:
            raise FetchFailed("its configuration is of another issuer: MARGINALIA_OIDC_ISSUER must be the same text")
        if not isinstance(address := found.get("jwks_uri"), str):
            raise FetchFailed("its configuration has no jwks_uri")
        keys = published_keys(await published.fetch(address))
        if not keys:
            raise FetchFailed("it publishes no key that can verify a token")
        return keys
