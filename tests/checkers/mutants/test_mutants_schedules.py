"""Tests of the tests: with a safeguard taken away, some schedule goes wrong, and the explorer says how."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import text

from db.connection import retry
from db.connection.database import Database
from tests.checkers.mutants.test_mutants_ensure import leaving_out
from tests.checkers.schedules.scheduler import Played, Stage, staged
from tests.checkers.schedules.test_schedules import STATES, parts

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@contextmanager
def without(stage: Stage, part: str) -> Iterator[None]:
    """Take a part out of the statements of all actors; there has to be one that had it."""
    with ExitStack() as stack:
        changed = [stack.enter_context(leaving_out(actor.database, part)) for actor in stage.actors]
        yield
        assert any(changed), "no statement had it"


def switches_in(order: Sequence[int]) -> int:
    """Count how often somebody was held who had more to do."""
    return sum(one != other and one in order[place:] for place, (one, other) in enumerate(itertools.pairwise(order), 1))


async def first_wrong(stage: Stage, state: str, actors: str) -> Played:
    explored = await stage.explore(STATES[state], parts(actors), until_wrong=True)
    assert explored.wrong, f"none of {explored.schedules} schedules was wrong"
    return explored.wrong[0]


async def test_those_who_wait_for_nobody_have_all_orders_and_each_once(database_url: str) -> None:
    """Shows: no schedule is left out. Five steps, two and two and one of them in order: 5! / (2! 2! 1!)."""
    look = parts("peek b")[0]
    async with staged(database_url) as stage:
        explored = await stage.explore(STATES["with chat"], [[*look, *look], [*look, *look], look])
    assert len(set(explored.orders)) == explored.schedules == 30


async def test_with_few_switches_there_are_the_orders_that_need_no_more_and_each_once(database_url: str) -> None:
    """Shows: a bound leaves out what has more switches, and nothing else. Three callers, two steps each."""
    look = [*parts("peek b")[0]] * 2
    async with staged(database_url) as stage:
        whole = [tuple(n for n in order for _ in range(2)) for order in itertools.permutations(range(3))]
        bounded = [order for order in set(itertools.permutations([0, 0, 1, 1, 2, 2])) if switches_in(order) <= 1]
        for switches, right in ((0, whole), (1, bounded)):
            explored = await stage.explore(STATES["with chat"], [look] * 3, switches=switches)
            assert sorted(explored.orders) == sorted(right)


async def test_a_second_chat_is_found_where_the_constraint_is_gone(database: Database, database_url: str) -> None:
    """Shows: one chat is due to the constraint, not to the order in which two happen to come."""
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE chat_sessions DROP CONSTRAINT chat_sessions_section_key"))
    async with staged(database_url) as stage:
        with without(stage, "ON CONFLICT ON CONSTRAINT chat_sessions_section_key DO NOTHING"):
            played = await first_wrong(stage, "in both", "ensure a | ensure b")
    assert any(line.startswith("ONE_CHAT_PER_SECTION") for line in played.wrong)
    assert [o.answer.kind for o in played.history if o.answer].count("CREATED") == 2


async def test_those_who_lost_and_do_not_look_again_are_found(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows: that everybody gets the chat is due to the second read after a lost insert."""
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 1)
    async with staged(database_url) as stage:
        played = await first_wrong(stage, "in both", "ensure a | ensure b")
    assert any(line.endswith("was told TemporarilyUnavailable") for line in played.wrong)


@pytest.mark.parametrize(
    ("lock", "state", "actors"),
    [
        # The opening sees the placement, and is not seen by who looks after the removal.
        ("FOR KEY SHARE OF documents, document_sections, sections", "in both", "ensure a | remove a; peek b"),
        ("FOR KEY SHARE OF documents, document_sections, sections", "in both", "ensure a | trash a; peek b"),
        ("FOR UPDATE", "in both", "ensure a | trash a; peek b"),
        # The section goes away from under a placement that was not seen; only a foreign key is in the way.
        ("FOR UPDATE", "in a, which is trashed", "place b | purge a"),
    ],
)
async def test_what_comes_between_is_found_where_rows_are_not_locked(
    database_url: str, lock: str, state: str, actors: str
) -> None:
    """Shows: that nobody opens a chat where another one removes is due to the locks of both."""
    async with staged(database_url) as stage:
        with without(stage, lock):
            await first_wrong(stage, state, actors)
