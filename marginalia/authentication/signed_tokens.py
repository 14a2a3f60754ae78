"""Signed tokens: JWTs of the integrator's backend, and of the `token` command."""

from collections.abc import Mapping, Sequence
from typing import Any

from joserfc.jwk import Key

from marginalia.authentication import keys, verification
from marginalia.authentication.claims import ClaimNames
from marginalia.authentication.settings import AuthenticationSettings
from marginalia.authentication.verification import Requirements, UnverifiedToken

ALGORITHMS = ("HS256", "EdDSA", "Ed25519", "ES256", "RS256")
"""The algorithms with which a backend may sign. Which of them count is decided by the configured keys."""


class SignedTokens:
    """The tokens that configured keys have signed."""

    names = ClaimNames()

    def __init__(self, configured: Sequence[Key], required: Requirements) -> None:
        self._required = required
        self._keys: Mapping[str, Sequence[Key]] = {
            algorithm: [key for key in configured if algorithm in keys.algorithms_of(key)] for algorithm in ALGORITHMS
        }
        self._algorithms = [algorithm for algorithm, able in self._keys.items() if able]

    async def claims(self, token: UnverifiedToken) -> Mapping[str, Any]:
        """Return the claims of a token. Raises `Unauthenticated`."""
        able = self._keys.get(token.algorithm, ())
        claims: Mapping[str, Any] = verification.verify(token, able, self._algorithms, self._required)
        return claims


def from_settings(settings: AuthenticationSettings) -> SignedTokens | None:
    """Return the tokens that the settings have keys for. None: there are no keys. Raises `BadKey`."""
    configured: list[Key] = []
    if secret := secret_from_settings(settings):
        configured.append(keys.secret_key(*secret))
    if settings.token_public_key is not None:
        configured += keys.public_keys(settings.token_public_key, "MARGINALIA_TOKEN_PUBLIC_KEY")
    if settings.token_public_key_file is not None:
        text = keys.read_file(settings.token_public_key_file)
        configured += keys.public_keys(text, str(settings.token_public_key_file))
    required = Requirements(settings.token_issuer, settings.token_audience, "MARGINALIA_TOKEN_AUDIENCE")
    return SignedTokens(configured, required) if configured else None


def secret_from_settings(settings: AuthenticationSettings) -> tuple[str, str] | None:
    """Return the shared secret and where it is from, if there is one. Raises `BadKey`."""
    if settings.token_secret is not None:
        return settings.token_secret.get_secret_value().strip(), "MARGINALIA_TOKEN_SECRET"
    if settings.token_secret_file is not None:
        return keys.read_file(settings.token_secret_file), str(settings.token_secret_file)
    return None
