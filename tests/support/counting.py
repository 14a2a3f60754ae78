"""Counting: every statement that really goes to the database, transaction control included."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import event

from db.connection.database import Database
from tests.support.statements import before_statements


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect what is sent meanwhile: our statements, and the BEGIN, COMMIT and ROLLBACK around them."""
    sent: list[str] = []
    ours: set[str] = set()

    logged: set[Any] = set()

    async def statement(connection: Any, text: str, _parameters: Any) -> None:
        sent.append(text)
        ours.add(text)
        log(connection)

    def query_of_driver(record: Any) -> None:
        # asyncpg reports here what it sends by itself, and of our statements only those with many sets of parameters.
        if record.query not in ours:
            sent.append(record.query)

    def log(connection: Any) -> None:
        if database.dialect == "postgresql" and connection not in logged:
            connection.add_query_logger(query_of_driver)
            logged.add(connection)

    def checked_out(connection: Any, _entry: Any, _proxy: Any) -> None:
        log(connection.driver_connection)

    def stop_logging() -> None:
        for connection in logged:
            connection.remove_query_logger(query_of_driver)

    def transaction_end(name: str) -> Any:
        return lambda _connection: sent.append(name)

    with ExitStack() as stack:

        def listen(target: Any, name: str, listener: Any) -> None:
            event.listen(target, name, listener)
            stack.callback(event.remove, target, name, listener)

        stack.callback(stop_logging)
        stack.enter_context(before_statements(database, statement))
        for engine in database.engines:
            listen(engine.sync_engine, "checkout", checked_out)
        if database.dialect == "sqlite":
            # aiosqlite has no such report; on the write engine every COMMIT or ROLLBACK ends a real transaction.
            listen(database.engines[0].sync_engine, "commit", transaction_end("COMMIT"))
            listen(database.engines[0].sync_engine, "rollback", transaction_end("ROLLBACK"))
        yield sent
