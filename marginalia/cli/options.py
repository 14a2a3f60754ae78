"""Options that several commands share, and the settings behind them."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from marginalia.cli.failure import MISCONFIGURED, fail

if TYPE_CHECKING:
    from marginalia.database_settings import DatabaseSettings

T = TypeVar("T", bound="DatabaseSettings")

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The URL of the database: sqlite:///path or postgresql://user@host/db. Default: MARGINALIA_DATABASE_URL, "
        "or an SQLite file under var/.",
    ),
]


def database_settings(database: str | None) -> "DatabaseSettings":
    """Read the settings of the database, or end the command."""
    from marginalia.database_settings import read_database_settings

    return read(database, read_database_settings)


def read(database: str | None, reading: Callable[[], T]) -> T:
    """Read settings and configure the log, or end the command."""
    from marginalia.database_settings import BadSettings
    from marginalia.observability import log_config

    if database is not None:
        if not database:
            fail("--database is empty; it needs a URL.", MISCONFIGURED)
        # Through the environment, because the worker processes read it too.
        os.environ["MARGINALIA_DATABASE_URL"] = database
    try:
        settings = reading()
    except BadSettings as error:
        fail(str(error), MISCONFIGURED)
    log_config.configure(settings.log_level)
    return settings
