"""Settings of authentication: who may send requests, and the keys and issuers of their tokens."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode

from db.principals import Role
from marginalia.authentication.claims import is_workspace_id
from marginalia.database_settings import DatabaseSettings, OfProcess, read_from_process

OIDC_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""The algorithms with which an issuer may sign: those with public keys."""


class BadKey(Exception):
    """A key in the settings cannot be used. The text is one line for the operator, without the key."""


def _split(given: object) -> object:
    return re.split(r"[,\s]+", given.strip(", \t\r\n")) if isinstance(given, str) else given


def _algorithm(given: str) -> str:
    if given not in OIDC_ALGORITHMS:
        raise ValueError(f"{given[:50]!r} is none of {', '.join(OIDC_ALGORITHMS)}")
    return given


def _workspace(given: str | None) -> str | None:
    if given is not None and not is_workspace_id(given):
        raise ValueError("the id of a workspace has 1 to 200 visible characters")
    return given


class AuthenticationSettings(BaseSettings):
    """The settings of authentication."""

    auth: Literal["local", "tokens"] = Field(
        default="local",
        description="Who is served. `local`: this machine, as the owner of one workspace; `tokens`: holders of tokens.",
    )
    token_secret: SecretStr | None = Field(
        default=None, description="The secret with which your backend signs JWTs by HS256: at least 32 bytes."
    )
    token_secret_file: Path | None = Field(default=None, description="A file with that secret, instead.")
    token_public_key: str | None = Field(
        default=None,
        description="The public key of the key with which your backend signs JWTs by EdDSA, ES256 or RS256: PEM, a JWK "
        "or a JWK Set.",
    )
    token_public_key_file: Path | None = Field(default=None, description="A file with that key, instead.")
    token_issuer: str | None = Field(default=None, description="The claim `iss` that those JWTs must have.")
    token_audience: str | None = Field(default=None, description="The claim `aud` that those JWTs must have.")
    oidc_issuer: str | None = Field(
        default=None, description="The URL of an OpenID Connect issuer whose JWTs are accepted."
    )
    oidc_audience: str | None = Field(default=None, description="The claim `aud` that its JWTs must have.")
    oidc_algorithms: Annotated[list[Annotated[str, AfterValidator(_algorithm)]], NoDecode, BeforeValidator(_split)] = (
        Field(default=["RS256", "ES256", "EdDSA"], description="The algorithms with which it may sign.", min_length=1)
    )
    oidc_user_claim: str = Field(default="sub", description="Its claim with the id of the user.")
    oidc_name_claim: str = Field(default="name", description="Its claim with the name of the user.")
    oidc_avatar_claim: str = Field(default="picture", description="Its claim with the URL of the user's avatar.")
    oidc_workspace_claim: str = Field(default="workspace", description="Its claim with the id of the workspace.")
    oidc_workspace: Annotated[str | None, AfterValidator(_workspace)] = Field(
        default=None, description="The workspace of all its users, instead of a claim."
    )
    oidc_role_claim: str = Field(default="role", description="Its claim with a role, or a list with roles.")
    oidc_role: Literal["READER", "COMMENTER", "EDITOR", "OWNER", "none"] = Field(
        default="READER",
        description="The role of its users whose token names none. `none`: they are refused.",
    )
    new_workspaces: Literal["refuse", "create"] = Field(
        default="refuse", description="What a token of an unknown workspace does: it is refused, or creates it."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> "AuthenticationSettings":
        for name in ("token_secret", "token_public_key"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                both = f"MARGINALIA_{name.upper()}"
                raise ValueError(f"{both} and {both}_FILE are both set: one of them is enough")
        if self.oidc_issuer is not None and self.oidc_audience is None:
            raise ValueError(
                "MARGINALIA_OIDC_ISSUER needs MARGINALIA_OIDC_AUDIENCE: its tokens for others are not ours"
            )
        return self

    @property
    def default_role(self) -> Role | None:
        """The role of the OIDC issuer's users whose token names none."""
        return None if self.oidc_role == "none" else Role[self.oidc_role]


class CommandSettings(AuthenticationSettings, DatabaseSettings):
    """The settings of commands that make tokens. Importing them imports no server."""


class _CommandSettingsOfProcess(OfProcess, CommandSettings):
    """Those settings of this process."""


def read_authentication_settings() -> CommandSettings:
    """Read the settings of authentication of this process. Raises `BadSettings`."""
    return read_from_process(_CommandSettingsOfProcess)
