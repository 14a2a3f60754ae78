"""OIDC issuers: JWTs of an identity provider, verified with the keys that it publishes."""

from collections.abc import Mapping
from typing import Any

from marginalia.authentication import verification
from marginalia.authentication.claims import ClaimNames
from marginalia.authentication.issuer_keys import IssuerKeys
from marginalia.authentication.settings import AuthenticationSettings
from marginalia.authentication.verification import Requirements, UnverifiedToken


class IssuedTokens:
    """The tokens of one issuer."""

    def __init__(self, issuer_keys: IssuerKeys, algorithms: list[str], required: Requirements, names: ClaimNames):
        self.names = names
        self._keys = issuer_keys
        self._algorithms = algorithms
        self._required = required

    @property
    def issuer(self) -> str | None:
        """The claim `iss` of its tokens."""
        return self._required.issuer

    async def claims(self, token: UnverifiedToken) -> Mapping[str, Any]:
        """Return the claims of a token. Raises `Unauthenticated` and `AuthenticationUnavailable`."""
        able = await self._keys.find(token, self._algorithms)
        claims: Mapping[str, Any] = verification.verify(token, able, self._algorithms, self._required)
        return claims

    async def close(self) -> None:
        """End a fetch of keys that is under way."""
        await self._keys.close()


def from_settings(settings: AuthenticationSettings) -> IssuedTokens | None:
    """Return the tokens of the configured issuer, if there is one. Nothing is fetched yet. Raises `BadKey`."""
    if settings.oidc_issuer is None:
        return None
    names = ClaimNames(
        user=settings.oidc_user_claim,
        workspace=settings.oidc_workspace_claim,
        role=settings.oidc_role_claim,
        name=settings.oidc_name_claim,
        avatar=settings.oidc_avatar_claim,
        documents=None,
        fixed_workspace=settings.oidc_workspace,
        default_role=settings.default_role,
    )
    required = Requirements(settings.oidc_issuer, settings.oidc_audience, "MARGINALIA_OIDC_AUDIENCE")
    return IssuedTokens(IssuerKeys(settings.oidc_issuer), settings.oidc_algorithms, required, names)
