"""Gathering: reads that share a statement, and nothing else."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from db.anchors import AnchorLoader
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.connection.query_stats import collect_query_stats
from db.reading.coalescing import MAX_BATCH_SIZE, MAX_IN_FLIGHT, CoalescingLoader
from db.reading.visibility import Viewer
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from tests.support import factories
from tests.support.counting import counted


class Reads:
    """Reads that end when they are told to; what is read is the number of the read."""

    def __init__(self) -> None:
        self.keys: list[Sequence[str]] = []
        self.go = asyncio.Event()

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.keys.append(keys)
        number = len(self.keys)
        await self.go.wait()
        if "bad" in keys:
            raise ValueError("bad")
        return {key: number for key in keys if key != "unknown"}


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_concurrent_operations_share_a_statement_and_each_counts_it(database: Database) -> None:
    document = await factories.document(database)
    sections = [await factories.section(database, document) for _ in range(10)]
    anchors = AnchorLoader(database)

    async def operation(section_id: str) -> tuple[str | None, int]:
        with collect_query_stats() as tally:
            anchor = await Store(database, LOCAL_OWNER, anchors).anchor(document.id, section_id)
            return anchor.section.id if anchor.section else None, tally.statements

    with counted(database) as statements:
        answers = await asyncio.gather(*(operation(section.id) for section in sections))

    assert answers == [(section.id, 1) for section in sections]
    assert len(statements) == 1


async def test_nothing_of_another_workspace_comes_along(database: Database) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    await factories.workspace(database, "other")
    anchors = AnchorLoader(database)

    ours, theirs = await asyncio.gather(
        *(anchors.load(Viewer.of_all(workspace), document.id, section.id) for workspace in ("local", "other"))
    )

    assert ours.section is not None
    assert (theirs.document, theirs.section, theirs.placement, theirs.chat) == (None, None, None, None)


async def test_a_read_never_joins_a_statement_that_is_on_its_way() -> None:
    reads = Reads()
    gathering = CoalescingLoader(reads)
    first = asyncio.create_task(gathering.load("a"))
    await soon()
    second = asyncio.create_task(gathering.load("a"))
    await soon()
    reads.go.set()

    assert (await first, await second) == (1, 2)


async def test_what_comes_while_statements_are_on_their_way_waits_together() -> None:
    reads = Reads()
    gathering = CoalescingLoader(reads)
    tasks = []
    for number in range(20):
        tasks.append(asyncio.create_task(gathering.load(f"{number}")))
        await soon()
    assert len(reads.keys) == MAX_IN_FLIGHT
    reads.go.set()
    await asyncio.gather(*tasks)

    assert reads.keys == [["0"], ["1"], [str(number) for number in range(2, 20)]]


async def test_whoever_asks_again_at_the_moment_that_all_statements_end_is_read_for() -> None:
    """As those do who lost against another: nobody else may come to set the reading going again."""
    reads = Reads()
    gathering = CoalescingLoader(reads)

    async def twice() -> tuple[int, int]:
        return await gathering.load("a"), await gathering.load("a")

    asking = asyncio.create_task(twice())
    await soon()
    others = []
    for number in range(MAX_IN_FLIGHT - 1):
        others.append(asyncio.create_task(gathering.load(f"{number}")))
        await soon()
    reads.go.set()
    async with asyncio.timeout(5):
        assert await asking == (1, MAX_IN_FLIGHT + 1)
        await asyncio.gather(*others)


async def test_no_statement_has_too_many_keys() -> None:
    reads = Reads()
    reads.go.set()
    gathering = CoalescingLoader(reads)
    await asyncio.gather(*(gathering.load(str(number)) for number in range(MAX_BATCH_SIZE * 2 + 1)))

    assert [len(keys) for keys in reads.keys] == [MAX_BATCH_SIZE, MAX_BATCH_SIZE, 1]


@pytest.mark.parametrize(("key", "error"), [("bad", ValueError), ("unknown", KeyError)])
async def test_an_error_is_for_the_key_that_fails_and_the_others_are_read(key: str, error: type[Exception]) -> None:
    reads = Reads()
    reads.go.set()
    gathering = CoalescingLoader(reads)
    keys = [*map(str, range(MAX_BATCH_SIZE - 1)), key]
    *others, failed = await asyncio.gather(*(gathering.load(each) for each in keys), return_exceptions=True)

    assert type(failed) is error
    assert {type(each) for each in others} == {int}
    assert len(reads.keys) <= 1 + 2 * MAX_BATCH_SIZE.bit_length()
    assert isinstance(await gathering.load("a"), int)


async def test_a_database_that_is_out_of_reach_is_not_asked_for_each_key() -> None:
    asked = []

    async def read(keys: Sequence[str]) -> Mapping[str, int]:
        asked.append(keys)
        raise DatabaseUnavailable("down")

    gathering = CoalescingLoader(read)
    failed = await asyncio.gather(*(gathering.load(each) for each in "abc"), return_exceptions=True)

    assert [type(each) for each in failed] == [DatabaseUnavailable] * 3
    assert asked == [["a", "b", "c"]]


async def test_who_has_gone_is_not_read_for() -> None:
    reads = Reads()
    gathering = CoalescingLoader(reads)
    tasks = [asyncio.create_task(gathering.load(key)) for key in "abc"]
    await asyncio.sleep(0)
    for task in tasks[:2]:
        task.cancel()
    await soon()
    reads.go.set()

    assert await tasks[2] == 1
    assert reads.keys == [["c"]]
