"""The log is private: what people write is not in it, not even when writing it fails."""

import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import structlog

from db.connection.database import Database
from marginalia.observability import log_config
from tests.api import operations
from tests.edge.conftest import Log
from tests.edge.fields import World
from tests.edge.outages import execute
from tests.support.client import Client

WORD = "Xanthippe"
"""A word of the texts that are written here; nothing else has it."""

WRITES: list[tuple[str, Callable[[World], dict[str, Any]]]] = [
    (operations.CREATE_DOCUMENT, lambda world: {"title": WORD, "description": WORD}),
    (operations.IMPORT_DOCUMENT, lambda world: {"markdown": f"# {WORD}\n\n{WORD}\n", "title": WORD}),
    (operations.CREATE_SECTION, lambda world: {"docId": world.document, "title": WORD, "content": WORD}),
    (operations.POST_MESSAGE, lambda world: {"chatId": world.chat, "content": WORD, "clientId": WORD}),
]

REFUSING = {
    # PostgreSQL tells the row that fails: "DETAIL: Failing row contains (...)".
    "postgresql": [
        f"ALTER TABLE {table} ADD CONSTRAINT quiet CHECK ({column} NOT LIKE '%{WORD}%')"
        for table, column in (("documents", "title"), ("sections", "title"), ("messages", "content"))
    ],
    "sqlite": [
        f"CREATE TRIGGER quiet_{table} BEFORE INSERT ON {table} WHEN NEW.{column} LIKE '%{WORD}%' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        for table, column in (("documents", "title"), ("sections", "title"), ("messages", "content"))
    ],
}
"""What makes every text with the word fail while it is written."""

UNFIT = [
    "ALTER TABLE documents ALTER title TYPE varchar(3)",
    "ALTER TABLE sections ALTER title TYPE varchar(3)",
    "ALTER TABLE messages ALTER content TYPE varchar(3)",
]
"""What makes PostgreSQL find the texts too long."""

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def write_all(client: Client, world: World) -> list[dict[str, Any]]:
    """Write a text in every way there is, and return the results."""
    return [await client.result(operation, **arguments(world)) for operation, arguments in WRITES]


async def test_what_is_written_is_not_logged(client: Client, world: World, log: Log) -> None:
    results = await write_all(client, world) + await write_all(client, world)

    assert not [result for result in results if "errors" in result]
    assert WORD in str(await client(operations.DOCUMENTS, first=10))
    assert len(log.of("operation")) >= 9
    assert WORD not in log.text


async def test_a_text_that_makes_a_fault_is_not_logged(
    client: Client, world: World, database: Database, log: Log
) -> None:
    await execute(database, *REFUSING[database.dialect])

    results = await write_all(client, world)

    assert [result["errors"][0]["extensions"]["code"] for result in results] == ["INTERNAL"] * 4
    assert len(log.of("fault")) == 4
    assert WORD not in log.text
    assert WORD not in str(results)


@on_postgresql
async def test_a_text_that_does_not_fit_is_not_logged(
    client: Client, world: World, database: Database, log: Log
) -> None:
    await execute(database, "DELETE FROM messages", *(f"{alter} USING 'x'" for alter in UNFIT))

    results = await write_all(client, world)

    assert [result["errors"][0]["extensions"]["code"] for result in results] == ["INTERNAL"] * 4
    assert WORD not in log.text


@on_postgresql
async def test_a_text_of_another_type_is_not_logged(
    client: Client, world: World, database: Database, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The driver itself refuses it, and says what it was.
    monkeypatch.setattr("services.validation.is_storable", lambda _value: True)

    posted = await client.result(operations.POST_MESSAGE, chatId=world.chat, content=f"{WORD}\ud800")

    assert posted["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "does not fit its type" in log.text
    assert WORD not in log.text


class Terminal(StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.mark.parametrize("stream", [Terminal(), StringIO()], ids=["terminal", "file"])
def test_a_traceback_has_no_values_of_variables(stream: StringIO, log: Log) -> None:
    log_config.configure("debug", stream)

    def fail(text: str) -> None:
        raise ZeroDivisionError

    try:
        fail(WORD.upper())
    except ZeroDivisionError:
        structlog.stdlib.get_logger("marginalia.test").exception("fault")
        logging.getLogger("another.library").exception("fault")

    assert stream.getvalue().count("ZeroDivisionError") >= 2
    assert WORD.upper() not in stream.getvalue()
