"""The configured authentication: what the settings ask for.

Without tokens, the libraries that verify them are not imported.
"""

import os

import structlog

from db.connection.database import Database
from marginalia.authentication.authentication import Authentication
from marginalia.authentication.local import LocalAuthentication
from marginalia.authentication.settings import AuthenticationSettings

_log = structlog.stdlib.get_logger("marginalia.authentication")


def check(settings: AuthenticationSettings) -> None:
    """Check the keys in the settings. Raises `BadKey`."""
    if settings.auth == "tokens":
        from marginalia.authentication import oidc, signed_tokens

        signed_tokens.from_settings(settings)
        oidc.from_settings(settings)
        _warn_of_readable_secret(settings)


def authentication(settings: AuthenticationSettings, database: Database) -> Authentication:
    """Return the authentication that the settings ask for. Raises `BadKey`."""
    if settings.auth == "local":
        return LocalAuthentication()
    from marginalia.authentication.tokens import TokenAuthentication

    return TokenAuthentication(settings, database)


def _warn_of_readable_secret(settings: AuthenticationSettings) -> None:
    if (path := settings.token_secret_file) is not None and os.stat(path).st_mode & 0o077:
        _log.warning("Other users of this machine may read the file of the secret", file=str(path), wanted="0600")
