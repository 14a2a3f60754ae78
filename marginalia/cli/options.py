"""Options that several commands have, and the settings that commands read."""

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
WorkspaceOption = Annotated[
    str, typer.Option("--workspace", metavar="ID", help="The workspace; the command acts as its owner.")
]
DaysOption = Annotated[
    float | None, typer.Option("--days", min=0.001, max=36_500, help="How many days the secret is good for.")
]


def database_settings(database: str | None) -> "DatabaseSettings":
    """Read the settings of a command, with the database of its option. Ends the command if they are invalid."""
    from marginalia.database_settings import read_database_settings

    return read_for(database, read_database_settings)


def read_for(database: str | None, read: Callable[[], T]) -> T:
    """Read settings of any kind as `database_settings` does, and configure the log."""
    from marginalia.database_settings import BadSettings
    from marginalia.observability import log_config

    if database is not None:
        if not database:
            fail("--database is empty; it needs a URL.", MISCONFIGURED)
        # Through the environment, because the worker processes read it too.
        os.environ["MARGINALIA_DATABASE_URL"] = database
    try:
        settings = read()
    except BadSettings as error:
        fail(str(error), MISCONFIGURED)
    log_config.configure(settings.log_level)
    return settings
