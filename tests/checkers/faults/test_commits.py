"""Answers that are lost: a commit that nobody heard of is told as perhaps, and the same call again is safe."""

from collections.abc import AsyncIterator

import pytest

from db.connection.database import Database
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from tests.checkers.faults import seed
from tests.checkers.faults.commands import COMMANDS, Command, kind
from tests.checkers.faults.conftest import warm
from tests.checkers.faults.fault_injection import COMMIT, Steps, watched
from tests.support.proxy import Proxy
from tests.support.quiescence import assert_at_rest

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url).listening() as listening:
        yield listening


async def test_a_commit_whose_answer_is_lost_may_have_been_done_and_can_be_repeated(
    database: Database, proxy: Proxy
) -> None:
    used = await warm(Database(proxy.url))
    tried = [command for command in COMMANDS if await _is_told_as_perhaps(command, database, used, proxy)]
    assert len(tried) > 15
    await used.close()


async def _is_told_as_perhaps(command: Command, database: Database, used: Database, proxy: Proxy) -> bool:
    """Lose the answer to the commit of a command, if it has one."""
    await seed.make(database)
    with watched(used, Steps()) as steps:
        assert kind(await command.call(Store(used, LOCAL_OWNER))) == command.right
    if COMMIT not in steps.sent:
        return False
    done = await seed.shape(database)
    await seed.make(database)
    commit = Steps(lambda _cursor: proxy.lose_an_answer(), steps.sent.index(COMMIT))
    with watched(used, commit):
        assert kind(await command.call(Store(used, LOCAL_OWNER))) == "TemporarilyUnavailable", command
    assert commit.struck == 1
    await assert_at_rest(used, database)
    assert await seed.shape(database) == done, command
    assert kind(await command.call(Store(used, LOCAL_OWNER))) == command.again, command
    if command.repeatable:
        assert await seed.shape(database) == done, command
    return True
