"""Settings: what a process is told by its environment, or by a `.env` file beside it."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from engine.complexity import Limits
from engine.persisted_operations import Trust
from marginalia import files
from marginalia.files import UnreadableFile
from marginalia.transports import origins
from marginalia.transports.uploads import LARGEST_UPLOAD
from marginalia.transports.uvicorn_protocols import KEEP_ALIVE_S
from marginalia.transports.websocket import SocketLimits

ENV_FILE = Path(".env")

LARGEST_ENV_FILE = 1_000_000
"""How many bytes a `.env` may have."""


class BadSettings(Exception):
    """The settings cannot be used; the text is one line for the person who starts the process."""


class _EnvFile(DotEnvSettingsSource):
    """The settings of a `.env`, read as every other file that a person names."""

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        try:
            text = files.read_text(file_path, most=LARGEST_ENV_FILE)
        except UnreadableFile as error:
            raise BadSettings(f"{file_path} {error}.") from None
        return {name.lower(): value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


class Settings(BaseSettings):
    """Everything that can be set; each name is the environment's `MARGINALIA_` and the field's in capitals.

    One that is set to nothing is not set.
    """

    model_config = SettingsConfigDict(env_prefix="MARGINALIA_", env_ignore_empty=True, extra="ignore")

    database_url: str = Field(
        default="sqlite:///var/marginalia.db",
        description="Where the data is: sqlite:///path or postgresql://user@host/db.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=1000, description="How many connections a process may hold for reading, and for writing."
    )
    lock_timeout: float = Field(
        default=5.0,
        ge=0.001,
        le=600,
        description="How many seconds to wait for a lock before answering TemporarilyUnavailable.",
    )
    max_body_bytes: int = Field(
        default=LARGEST_UPLOAD, ge=1_000, description="How long the body of a request may be, in bytes."
    )
    max_url_bytes: int = Field(
        default=16_000,
        ge=100,
        le=60_000,
        description="How long the query of a URL may be, in bytes; what is longer is sent by POST.",
    )
    max_characters: int = Field(
        default=Limits.characters, ge=100, description="How many characters the text of an operation may have."
    )
    max_lines: int = Field(default=Limits.lines, ge=1, description="How many lines it may have.")
    max_tokens: int = Field(default=Limits.tokens, ge=10, description="How many tokens an operation may have.")
    max_comments: int = Field(default=Limits.comments, ge=0, description="How many comments it may have.")
    max_name: int = Field(default=Limits.name, ge=1, description="How many characters each of its names may have.")
    max_selections: int = Field(
        default=Limits.selections,
        ge=1,
        description="How much all operations of a document may select, each with all the fragments that it spreads.",
    )
    max_fragments: int = Field(
        default=Limits.fragments, ge=0, description="How many fragments it may define, and have inline."
    )
    max_depth: int = Field(default=Limits.depth, ge=1, description="How deep its fields may be nested.")
    max_list_depth: int = Field(default=Limits.list_depth, ge=0, description="How deep its lists may be nested.")
    max_aliases: int = Field(
        default=Limits.aliases,
        ge=0,
        description="How many fields it may select under another name, or again in the same selection.",
    )
    max_root_fields: int = Field(default=Limits.root_fields, ge=1, description="How many root fields it may have.")
    max_directives: int = Field(default=Limits.directives, ge=0, description="How many directives it may have.")
    max_cost: int = Field(
        default=Limits.cost, ge=1, description="How many fields its answer may hold, heavy ones counted more."
    )
    max_errors: int = Field(default=Limits.errors, ge=1, description="How many errors an answer tells of.")
    query_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="How long a query may take, and one event of a subscription."
    )
    mutation_seconds: float = Field(default=60.0, gt=0, le=3600, description="How long a mutation may take.")
    max_socket_operations: int = Field(
        default=SocketLimits.operations, ge=1, description="How many operations may run on one WebSocket at once."
    )
    max_socket_message_bytes: int = Field(
        default=SocketLimits.message_bytes, ge=1_000, description="How long a message on a WebSocket may be, in bytes."
    )
    socket_init_seconds: float = Field(
        default=SocketLimits.init_seconds,
        gt=0,
        le=600,
        description="How long a WebSocket may take to introduce itself by connection_init.",
    )
    keep_alive_seconds: int = Field(
        default=KEEP_ALIVE_S,
        ge=1,
        le=86_400,
        description="For how many seconds a connection without a request is kept open.",
    )
    event_seconds: float = Field(
        default=0.25,
        ge=0.01,
        le=60,
        description="How often the database is asked for news while somebody subscribes to them.",
    )
    status_codes: Literal["audited", "draft"] = Field(
        default="audited",
        description="The status codes of answers: those that are audited, or those of the 2026 draft, which tell more.",
    )
    trusted_documents: Path | None = Field(
        default=None, description="A manifest of trusted documents, as graphql-codegen or relay-compiler writes it."
    )
    trust: Trust = Field(
        default=Trust.OPEN,
        description="Which operations are run: `open`, any; `prefer`, any, but one that is not in the manifest is "
        "logged; `only`, those of the manifest.",
    )
    introspection: bool = Field(default=True, description="Whether clients may ask for the schema.")
    suggestions: bool = Field(
        default=True, description="Whether errors name what the client could have meant; never without introspection."
    )
    allowed_origins: Annotated[
        list[Annotated[str, AfterValidator(origins.check_entry)]], NoDecode, BeforeValidator(origins.split_setting)
    ] = Field(
        default=[origins.LOOPBACK],
        description="The origins whose pages may use the server from a browser, separated by commas; `loopback`, those "
        "that this machine serves on any port; `none`, no page but our own.",
    )
    explorer: bool = Field(default=True, description="Whether GraphiQL is served at /graphiql.")
    metrics: bool = Field(default=True, description="Whether figures for Prometheus are served at /metrics.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="What is logged, at least."
    )

    @model_validator(mode="after")
    def _has_what_it_trusts(self) -> "Settings":
        if self.trust is not Trust.OPEN and self.trusted_documents is None:
            raise ValueError(
                f"MARGINALIA_TRUST={self.trust} goes by a manifest: name its file in MARGINALIA_TRUSTED_DOCUMENTS"
            )
        return self

    @property
    def limits(self) -> Limits:
        """What one operation may ask for."""
        return Limits(
            characters=self.max_characters,
            lines=self.max_lines,
            tokens=self.max_tokens,
            comments=self.max_comments,
            name=self.max_name,
            selections=self.max_selections,
            fragments=self.max_fragments,
            depth=self.max_depth,
            list_depth=self.max_list_depth,
            aliases=self.max_aliases,
            root_fields=self.max_root_fields,
            directives=self.max_directives,
            cost=self.max_cost,
            errors=self.max_errors,
        )


class _SettingsOfProcess(Settings):
    """The settings, those of the `.env` among them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment come before the `.env`, which is read by our own source."""
        return init_settings, env_settings, _EnvFile(settings_cls, ENV_FILE)


def read_settings() -> Settings:
    """Read the settings of this process. Raises `BadSettings`."""
    try:
        return _SettingsOfProcess()
    except ValidationError as error:
        raise BadSettings("; ".join(map(_problem, error.errors()))) from None
    except SettingsError as error:
        raise BadSettings(f"{error}: it has to be JSON.") from None
    except RecursionError:
        raise BadSettings("A setting that is JSON is nested too deeply.") from None


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"MARGINALIA_{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message
