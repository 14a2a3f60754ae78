"""Clients that are gone: at whatever step a call is cancelled, all is as it was or all is done, and nothing is held."""

import asyncio
import itertools
import logging
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from db.connection.database import Database
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from tests.checkers.faults import seed
from tests.checkers.faults.cancellation_points import cancelled_after
from tests.checkers.faults.commands import COMMANDS, kind
from tests.support.invariants import violations
from tests.support.quiescence import assert_at_rest
from tests.support.thorough import thorough

_log = logging.getLogger(__name__)

CANCELLATIONS = 5_000
"""How many RELIABILITY.md asks for."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Insist that nothing is logged as a fault: a client that leaves is none, whatever it would have been told."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.fixture
async def used(database_url: str) -> AsyncIterator[Database]:
    """Give the database that the commands use, apart from the one that looks at what they did."""
    opened = Database(database_url, pool_size=3)
    yield opened
    await opened.close()


async def test_a_call_that_is_cancelled_at_any_step_is_not_done_or_done_whole_and_holds_nothing(
    database: Database, used: Database
) -> None:
    least = CANCELLATIONS if thorough() else 1
    cancelled = done_anyway = 0
    for round_ in itertools.count():
        if cancelled >= least:
            break
        for command in COMMANDS if thorough() else [each for each in COMMANDS if not each.rare]:
            await seed.make(database)
            before = await seed.shape(database)
            assert kind(await command.call(Store(used, LOCAL_OWNER))) == command.right
            done = await seed.shape(database)
            for steps in itertools.count():
                case = f"{command}, cancelled after {steps} steps, round {round_}"
                await seed.make(database)
                ended = not await cancelled_after(steps, lambda: command.call(Store(used, LOCAL_OWNER)))  # noqa: B023
                await assert_at_rest(used, database)
                after = await seed.shape(database)
                assert after in (before, done), case
                if ended:
                    assert after == done, case
                    break
                cancelled += 1
                done_anyway += after == done != before
                # Who comes again gets what is right, and it was done once.
                right = {str(command.right)} if after == before else {str(command.again)}
                right |= {str(command.again)} if before == done else set()
                assert str(kind(await command.call(Store(used, LOCAL_OWNER)))) in right, case
                if command.repeatable:
                    assert await seed.shape(database) == done, case
    _log.info("%s: %d cancellations, %d of them done anyway", database.dialect, cancelled, done_anyway)
    assert done_anyway
    assert [
        line
        for line in await violations(database)
        if not line.startswith(("NO_WRONG_CHAT_POINTER", "NO_MISSING_CHAT_POINTER"))
    ] == []


async def test_many_callers_that_are_cancelled_at_once_hold_nothing(database: Database, used: Database) -> None:
    """With others beside them who share their statements, or wait for the same connections."""
    chance = random.Random(3)  # noqa: S311 - chance, not a secret
    for _ in range(100 if thorough() else 10):
        await seed.make(database)
        tasks = [asyncio.ensure_future(command.call(Store(used, LOCAL_OWNER))) for command in COMMANDS]
        for task in chance.sample(tasks, len(tasks)):
            await asyncio.sleep(chance.choice([0, 0, 0.001]))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assert_at_rest(used, database)
        assert [
            line
            for line in await violations(database)
            if not line.startswith(("NO_WRONG_CHAT_POINTER", "NO_MISSING_CHAT_POINTER"))
        ] == []
