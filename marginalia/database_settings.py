"""Settings of the database, for commands that serve nothing, and how settings are read from a process."""

from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from marginalia import files
from marginalia.files import UnreadableFile

T = TypeVar("T", bound=BaseSettings)

ENV_FILE = Path(".env")

LARGEST_ENV_FILE = 1_000_000
"""The maximum size of a `.env`, in bytes."""


class BadSettings(Exception):
    """The settings are invalid. The text is one line for the operator."""


class DatabaseSettings(BaseSettings):
    """The settings of every command. Importing them imports no server: a command that only migrates starts faster."""

    model_config = SettingsConfigDict(env_prefix="MARGINALIA_", env_ignore_empty=True, extra="ignore")

    database_url: str = Field(
        default="sqlite:///var/marginalia.db",
        description="The URL of the database: sqlite:///path or postgresql://user@host/db.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=1000, description="The size of a process's connection pool, for reads and for writes each."
    )
    lock_timeout: float = Field(
        default=5.0,
        ge=0.001,
        le=600,
        description="How many seconds to wait for a lock before the answer is TemporarilyUnavailable.",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="The minimum level of logged events."
    )


class OfProcess(BaseSettings):
    """A base that makes settings those of the process: its environment first, then its `.env`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the environment precedence over the `.env`, which our own source reads."""
        return init_settings, env_settings, _EnvFile(settings_cls, ENV_FILE)


class _EnvFile(DotEnvSettingsSource):
    """The settings of a `.env`, read with the same limits as other input files."""

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        try:
            text = files.read_text(file_path, most=LARGEST_ENV_FILE)
        except UnreadableFile as error:
            raise BadSettings(f"{file_path} {error}.") from None
        return {name.lower(): value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


class _DatabaseSettingsOfProcess(OfProcess, DatabaseSettings):
    """The settings of the database of this process."""


def read_database_settings() -> DatabaseSettings:
    """Read the settings of the database of this process. Raises `BadSettings`."""
    return read_from_process(_DatabaseSettingsOfProcess)


def read_from_process(settings: Callable[[], T]) -> T:
    """Read settings. Raises `BadSettings`."""
    try:
        return settings()
    except ValidationError as error:
        raise BadSettings("; ".join(map(_problem, error.errors()))) from None
    except SettingsError as error:
        raise BadSettings(f"{error}: it must be JSON.") from None
    except RecursionError:
        raise BadSettings("A setting that is JSON is nested too deeply.") from None


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"MARGINALIA_{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message
