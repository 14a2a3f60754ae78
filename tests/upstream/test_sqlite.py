"""aiosqlite and SQLAlchemy: what `db/connection/sqlite_connection.py` replaces, and what it touches of them."""

import sqlite3
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from db.connection import sqlite_connection

pytestmark = pytest.mark.upstream


async def turns(path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> int:
    """Count how often a statement asks the thread of its connection."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", **options)
    asked: list[object] = []
    execute = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, *call: object) -> object:
        asked.append(call)
        return await execute(self, *call)  # type: ignore[no-untyped-call]

    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
        monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
        assert (await connection.exec_driver_sql("SELECT 2")).scalar_one() == 2
        count = len(asked)
    await engine.dispose()
    return count


async def test_a_statement_asks_the_thread_several_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await turns(tmp_path / "theirs.db", monkeypatch) > 1


async def test_ours_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ours.db"

    async def open_ours(*_path: object, **_options: object) -> aiosqlite.Connection:
        connection = sqlite_connection.connection(lambda: sqlite3.connect(path, check_same_thread=False))
        connection._thread.daemon = True
        return await connection

    assert await turns(path, monkeypatch, connect_args={"async_creator_fn": open_ours}) == 1
