"""Transactions: whole or not at all, run to their end, and run again where they lost."""

import asyncio
import random
from collections.abc import Iterable

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.connection.retry import MAX_ATTEMPTS
from db.locks import LockOrderViolated, lock_for_change
from db.models import Document, Section
from db.store import Store, Transaction
from marginalia.authentication.local import LOCAL_OWNER
from services.outcomes import DocumentNotFound
from tests.support import factories
from tests.support.quiescence import assert_at_rest

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def document(name: str) -> Document:
    return Document(workspace_id="local", id=f"doc_{name}", title=name, created_by="ann")


async def stored(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(Document.title)))


async def settled(tasks: Iterable[asyncio.Task[object]]) -> list[object]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_leaving_the_block_commits(database: Database) -> None:
    async def work(session: AsyncSession) -> str:
        session.add(document("one"))
        return "done"

    assert await database.transact(work) == "done"
    assert await stored(database) == {"one"}


async def test_an_exception_undoes_all_and_is_raised_as_it_is(database: Database) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(document("one"))
        await session.flush()
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await database.transact(work)
    assert await stored(database) == set()
    assert database.in_use == {"reading": 0, "writing": 0}


async def test_returning_an_outcome_rolls_back(database: Database) -> None:
    refused = DocumentNotFound("doc_one")

    async def work(transaction: Transaction) -> DocumentNotFound:
        transaction.session.add(document("one"))
        await transaction.session.flush()
        return refused

    assert await Store(database, LOCAL_OWNER).transact(work) is refused
    assert await stored(database) == set()


async def test_a_violated_constraint_is_a_fault_and_not_tried_again(database: Database) -> None:
    runs = 0

    async def work(session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        session.add(document("kept"))
        await session.flush()
        await session.execute(text("INSERT INTO documents (workspace_id, id) VALUES ('local', 'doc_untitled')"))

    with pytest.raises(IntegrityError):
        await database.transact(work)
    assert runs == 1
    assert await stored(database) == set()


async def test_a_transaction_ends_though_nobody_waits_for_it(database: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(session: AsyncSession) -> None:
        session.add(document("one"))
        await session.flush()
        begun.set()
        await go_on.wait()
        session.add(document("two"))

    caller = asyncio.create_task(database.transact(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await stored(database) == set()
    go_on.set()
    await database.close()  # waits for it
    assert await stored(database) == {"one", "two"}


@pytest.mark.parametrize("is_available", [True, False], ids=["outcome", "unavailable"])
async def test_what_is_not_done_for_a_caller_that_is_gone_is_no_fault(
    database: Database, caplog: pytest.LogCaptureFixture, is_available: bool
) -> None:
    begun = asyncio.Event()

    async def work(transaction: Transaction) -> DocumentNotFound:
        await transaction.session.connection()
        begun.set()
        if is_available:
            return DocumentNotFound("doc_one")
        raise DatabaseUnavailable("no room")

    caller = asyncio.create_task(Store(database, LOCAL_OWNER).transact(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await database.close()  # waits for it
    assert "failed" not in caplog.text


async def test_a_caller_that_is_gone_at_any_moment_costs_no_connection(database: Database) -> None:
    rng = random.Random(7)  # noqa: S311 - chance, not a secret

    async def write(number: int) -> None:
        async def work(session: AsyncSession) -> None:
            session.add(document(str(number)))

        await database.transact(work)

    async def read() -> None:
        await stored(database)

    for round_ in range(20):
        tasks = [asyncio.create_task(write(round_ * 10 + n) if n < 5 else read()) for n in range(10)]
        for task in tasks:
            await asyncio.sleep(rng.uniform(0, 0.002))
            task.cancel()
        await settled(tasks)
    await asyncio.gather(*(read() for _ in range(30)))
    await write(1_000)
    assert "1000" in await stored(database)
    await assert_at_rest(database)
    # What was begun was committed whole: as many rows as the numbers that are there.
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Document)) == len(await stored(database))


@on_postgresql
async def test_of_two_in_a_deadlock_the_loser_runs_again_as_a_whole(database: Database) -> None:
    for name in ("one", "two"):
        await factories.add(database, document(name))
    both = asyncio.Barrier(2)
    runs: list[str] = []

    async def retitle(session: AsyncSession, first: str, second: str) -> None:
        runs.append(first)
        for name in (first, second):
            change = update(Document).where(Document.id == f"doc_{name}").values(title=Document.title + f" by {first}")
            await session.execute(change)
            if len(runs) <= 2 and name == first:
                await both.wait()  # each has its first row, and now wants the other's

    await asyncio.gather(
        database.transact(lambda session: retitle(session, "one", "two")),
        database.transact(lambda session: retitle(session, "two", "one")),
    )
    assert sorted(runs)[0] == "one"
    assert len(runs) == 3
    winner, loser = runs[1 - runs.index(runs[2])], runs[2]
    assert await stored(database) == {f"{name} by {winner} by {loser}" for name in ("one", "two")}


@on_postgresql
@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_transaction_that_always_loses_is_given_up(database: Database, state: str) -> None:
    runs = 0

    async def work(session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        session.add(document(str(runs)))
        await session.flush()
        await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{state}'; END $$"))

    with pytest.raises(DatabaseUnavailable):
        await database.transact(work)
    assert runs == MAX_ATTEMPTS == 5
    assert await stored(database) == set()
    assert database.in_use == {"reading": 0, "writing": 0}


@on_postgresql
async def test_a_transaction_that_loses_but_the_last_time_counts_once(database: Database) -> None:
    runs = 0

    async def work(session: AsyncSession) -> int:
        nonlocal runs
        runs += 1
        session.add(document("one"))
        await session.flush()
        if runs < MAX_ATTEMPTS:
            await session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$"))
        return runs

    assert await database.transact(work) == MAX_ATTEMPTS
    assert await stored(database) == {"one"}


@on_postgresql
async def test_who_waits_too_long_for_a_lock_is_told_to_come_again(database: Database, database_url: str) -> None:
    await factories.add(database, document("one"))
    impatient = Database(database_url, lock_timeout=0.1)
    retitle = update(Document).values(title="two")
    async with database.begin() as session:
        await session.execute(retitle)
        with pytest.raises(DatabaseUnavailable):
            await impatient.transact(lambda other: other.execute(retitle))
    await impatient.transact(lambda other: other.execute(retitle))
    await impatient.close()


async def test_who_gets_no_connection_is_told_to_come_again(database_url: str) -> None:
    narrow = Database(database_url, pool_size=1, lock_timeout=0.1)
    async with narrow.begin() as session:
        await session.connection()
        with pytest.raises(DatabaseUnavailable):
            await narrow.transact(lambda other: other.execute(select(1)))
    async with narrow.read() as reading:
        await reading.connection()
        with pytest.raises(DatabaseUnavailable):
            async with narrow.read() as other:
                await other.execute(select(1))
    await narrow.close()


async def test_locks_out_of_order_are_a_fault(database: Database) -> None:
    """On every database, so that the tests on SQLite, which locks no rows, find it as well."""

    async def work(transaction: Transaction) -> None:
        await transaction.lock(Section, select(Section.id))
        with pytest.raises(LockOrderViolated):
            await lock_for_change(transaction, Document, "doc_one")

    await Store(database, LOCAL_OWNER).transact(work)
