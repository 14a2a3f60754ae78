"""Settings: read from the environment, or from a `.env` file in the working directory."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from engine.complexity import Limits
from engine.persisted_operations import Trust
from marginalia.authentication.settings import AuthenticationSettings
from marginalia.database_settings import DatabaseSettings, OfProcess, read_from_process
from marginalia.observability import metrics_access
from marginalia.rates.settings import RateSettings
from marginalia.setting_lists import NONE, splitter, without_none
from marginalia.transports import forwarded, hosts, origins
from marginalia.transports.connection_limit import MAX_CONNECTIONS
from marginalia.transports.http_connection import KEEP_ALIVE_S
from marginalia.transports.root_path import check_root_path
from marginalia.transports.uploads import LARGEST_UPLOAD
from marginalia.transports.websocket import SocketLimits


# The last base gives the prefix.
class Settings(AuthenticationSettings, RateSettings, DatabaseSettings):
    """All settings. The environment variable of a field is `MARGINALIA_` and the field's name in capitals.

    An empty variable counts as not set.
    """

    max_body_bytes: int = Field(
        default=LARGEST_UPLOAD, ge=1_000, description="The maximum size of a request body, in bytes."
    )
    max_url_bytes: int = Field(
        default=16_000,
        ge=100,
        le=60_000,
        description="The maximum length of a URL's query string, in bytes. Longer requests must use POST.",
    )
    max_characters: int = Field(
        default=Limits.characters, ge=100, description="The maximum number of characters in the text of an operation."
    )
    max_lines: int = Field(
        default=Limits.lines, ge=1, description="The maximum number of lines in the text of an operation."
    )
    max_tokens: int = Field(default=Limits.tokens, ge=10, description="The maximum number of tokens in an operation.")
    max_comments: int = Field(
        default=Limits.comments, ge=0, description="The maximum number of comments in an operation."
    )
    max_name: int = Field(default=Limits.name, ge=1, description="The maximum length of each name in an operation.")
    max_selections: int = Field(
        default=Limits.selections,
        ge=1,
        description="The maximum number of selections in all operations of a document, with all spread fragments.",
    )
    max_fragments: int = Field(
        default=Limits.fragments,
        ge=0,
        description="The maximum number of fragments in an operation, defined or inline.",
    )
    max_depth: int = Field(default=Limits.depth, ge=1, description="The maximum nesting depth of fields.")
    max_list_depth: int = Field(default=Limits.list_depth, ge=0, description="The maximum nesting depth of lists.")
    max_aliases: int = Field(
        default=Limits.aliases,
        ge=0,
        description="The maximum number of fields with an alias, or repeated in the same selection.",
    )
    max_root_fields: int = Field(
        default=Limits.root_fields, ge=1, description="The maximum number of root fields in an operation."
    )
    max_directives: int = Field(
        default=Limits.directives, ge=0, description="The maximum number of directives in an operation."
    )
    max_cost: int = Field(
        default=Limits.cost,
        ge=1,
        description="The maximum cost of an operation: the fields in its answer, heavy ones counted more.",
    )
    max_errors: int = Field(default=Limits.errors, ge=1, description="The maximum number of errors in an answer.")
    query_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="The timeout of a query, and of one subscription event, in seconds."
    )
    mutation_seconds: float = Field(default=60.0, gt=0, le=3600, description="The timeout of a mutation, in seconds.")
    max_socket_operations: int = Field(
        default=SocketLimits.operations,
        ge=1,
        description="The maximum number of concurrent operations on one WebSocket.",
    )
    max_socket_message_bytes: int = Field(
        default=SocketLimits.message_bytes, ge=1_000, description="The maximum size of a WebSocket message, in bytes."
    )
    socket_init_seconds: float = Field(
        default=SocketLimits.init_seconds,
        gt=0,
        le=600,
        description="The timeout for the connection_init message of a WebSocket, in seconds.",
    )
    max_connections: int = Field(
        default=MAX_CONNECTIONS,
        ge=1,
        le=1_000_000,
        description="The maximum number of connections of a process, HTTP and WebSockets together; "
        "fewer if the limit of open files has no room for them.",
    )
    keep_alive_seconds: int = Field(
        default=KEEP_ALIVE_S,
        ge=1,
        le=86_400,
        description="How many seconds an idle connection is kept open.",
    )
    event_seconds: float = Field(
        default=0.25,
        ge=0.01,
        le=60,
        description="The interval in seconds at which the database is polled for updates while there are subscribers.",
    )
    status_codes: Literal["audited", "draft"] = Field(
        default="audited",
        description="The status codes of answers: the audited ones, or the more specific ones of the 2026 draft.",
    )
    trusted_documents: Path | None = Field(
        default=None, description="A manifest of trusted documents, as written by graphql-codegen or relay-compiler."
    )
    trust: Trust = Field(
        default=Trust.OPEN,
        description="Which operations are executed. `open`: any; `prefer`: any, but those missing from the manifest "
        "are logged; `only`: those of the manifest.",
    )
    introspection: bool = Field(default=True, description="Whether clients may introspect the schema.")
    suggestions: bool = Field(
        default=True, description="Whether errors suggest similar names; never without introspection."
    )
    allowed_origins: Annotated[
        list[Annotated[str, AfterValidator(origins.check_entry)]], NoDecode, BeforeValidator(splitter(origins.EXAMPLE))
    ] = Field(
        default=[origins.LOOPBACK],
        description="The origins whose pages may use the server from a browser, separated by commas. `loopback`: any "
        "port of this machine; `none`: only our own pages.",
    )
    allowed_hosts: Annotated[
        list[Annotated[str, AfterValidator(hosts.check_entry)]], NoDecode, BeforeValidator(splitter(hosts.EXAMPLE))
    ] = Field(
        default=[NONE],
        description="The hosts under which the server answers besides those of loopback, separated by commas. "
        "`*.example.org` stands for all names below `example.org`; `none`: no others.",
    )
    trusted_proxies: Annotated[
        list[Annotated[str, AfterValidator(forwarded.check_entry)]],
        NoDecode,
        BeforeValidator(splitter(forwarded.EXAMPLE)),
    ] = Field(
        default=[NONE],
        description="The addresses and networks of proxies whose X-Forwarded headers are believed, separated by "
        "commas. `unix`: whoever connects to the Unix socket; `none`: nobody.",
    )
    root_path: Annotated[str, AfterValidator(check_root_path)] | None = Field(
        default=None, description="The path under which a proxy shows the server, such as `/chat`."
    )
    explorer: bool = Field(default=True, description="Whether GraphiQL is served at /graphiql.")
    metrics: bool = Field(default=True, description="Whether Prometheus metrics are served at /metrics.")
    metrics_clients: Annotated[
        list[Annotated[str, AfterValidator(metrics_access.check_entry)]],
        NoDecode,
        BeforeValidator(splitter(metrics_access.EXAMPLE)),
    ] = Field(
        default=list(metrics_access.LOOPBACK),
        description="The addresses and networks that may read /metrics, separated by commas. Requests that came "
        "through a proxy may not.",
    )

    @model_validator(mode="after")
    def _has_what_it_trusts(self) -> "Settings":
        if self.trust is not Trust.OPEN and self.trusted_documents is None:
            raise ValueError(
                f"MARGINALIA_TRUST={self.trust} needs a manifest: name its file in MARGINALIA_TRUSTED_DOCUMENTS"
            )
        return self

    @model_validator(mode="after")
    def _is_local_or_has_tokens(self) -> "Settings":
        for name in ("allowed_hosts", "trusted_proxies"):
            if self.auth == "local" and without_none(getattr(self, name)):
                raise ValueError(
                    f"MARGINALIA_{name.upper()} needs MARGINALIA_AUTH=tokens: without tokens, everybody is the owner"
                )
        return self

    @model_validator(mode="after")
    def _lets_every_operation_run(self) -> "Settings":
        rates = self.rates(self.auth)
        for rate, most in (("cost_per_minute", "max_cost"), ("writes_per_minute", "max_root_fields")):
            if 0 < getattr(rates, rate) < getattr(self, most):
                raise ValueError(
                    f"MARGINALIA_RATE_{rate.upper()} is less than MARGINALIA_{most.upper()}: the largest operations "
                    "could never run"
                )
        return self

    @property
    def limits(self) -> Limits:
        """The complexity limits of one operation."""
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


class _SettingsOfProcess(OfProcess, Settings):
    """The settings of this process."""


def read_settings() -> Settings:
    """Read the settings of this process. Raises `BadSettings`."""
    return read_from_process(_SettingsOfProcess)
