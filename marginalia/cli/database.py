"""The database of a command: opened, prepared and closed around its work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.connection import errors
from db.connection.database import BadDatabaseUrl, Database, is_missing
from db.connection.errors import DatabaseUnavailable
from db.migrations.upgrade import UpgradeFailed
from marginalia.cli.failure import fail
from marginalia.database_settings import DatabaseSettings
from marginalia.startup import NotReady, prepare

T = TypeVar("T")


def with_database(
    settings: DatabaseSettings,
    work: Callable[[Database], Awaitable[T]],
    *,
    prepared: bool = True,
    made: bool = True,
    read_only: bool = False,
    code: int = 1,
) -> T:
    """Run `work` on the configured database, or end the process with a one-line error.

    `prepared`: upgrade or check the schema first. `made`: create a missing file. `read_only`: write nothing.
    """

    async def run() -> T:
        if not made and is_missing(settings.database_url):
            raise NotReady("The database file does not exist.")
        try:
            opened = Database(settings.database_url, lock_timeout=settings.lock_timeout, read_only=read_only)
        except OSError as error:
            raise NotReady(f"The database cannot be opened: {error}") from error
        try:
            with errors.translate_damage():
                if prepared:
                    await prepare(opened)
                return await work(opened)
        finally:
            await opened.close()

    try:
        return asyncio.run(run())
    except (BadDatabaseUrl, NotReady, UpgradeFailed) as error:
        fail(str(error), code)
    except errors.DatabaseDamaged as error:
        fail(f"The database is damaged: {error}. For details, run: python -m marginalia doctor", code)
    except DatabaseUnavailable as error:
        fail(f"The database cannot be reached: {error}", code)
