"""Settings: what a process is told by its environment, or by a `.env` file beside it."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set; each name is the environment's `MARGINALIA_` and the field's in capitals."""

    model_config = SettingsConfigDict(env_prefix="MARGINALIA_", env_file=".env", extra="ignore")

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
        default=20_000_000, ge=1_000, description="How long the body of a request may be, in bytes."
    )
    explorer: bool = Field(default=True, description="Whether GraphiQL is served at /graphiql.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="What is logged, at least."
    )
