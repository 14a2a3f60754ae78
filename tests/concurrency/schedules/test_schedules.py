"""Every schedule of those who ensure, place, remove, trash and purge: what must hold holds in each of them.

Each has to come to its end without a fault and without a wait for ever, leave the invariants whole, and answer as one
thing at a time could have: one chat, opened once; nothing of it after a removal that was acknowledged; no typed "no"
that changed anything (H1 to H3, H6). With MARGINALIA_TEST_THOROUGH=1 there are more actors, and more steps of theirs.
"""

import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.concurrency.histories.margin import Call, Margin, Verb
from tests.concurrency.schedules.actors import THOROUGH
from tests.concurrency.schedules.stage import Stage, staged

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_log = logging.getLogger(__name__)

A, B, S = "doc_a", "doc_b", "sec_s"

IN_A = Margin(placed=frozenset({(A, S)}))
IN_BOTH = Margin(placed=frozenset({(A, S), (B, S)}))

STATES = {
    "in a": IN_A,
    "in both": IN_BOTH,
    "in a, which is trashed": IN_A._replace(trashed=frozenset({A})),
    "in both, a is trashed": IN_BOTH._replace(trashed=frozenset({A})),
    "trashed in both": IN_BOTH._replace(trashed=frozenset({S})),
    "trashed in both, a is trashed": IN_BOTH._replace(trashed=frozenset({S, A})),
}
"""Where the section stands at first, which has no chat yet."""

CALLS = {
    "ensure a": Call(Verb.ENSURE, A, S),
    "ensure b": Call(Verb.ENSURE, B, S),
    "peek b": Call(Verb.PEEK, B, S),
    "remove a": Call(Verb.REMOVE, A, S),
    "remove b": Call(Verb.REMOVE, B, S),
    "place a": Call(Verb.PLACE, A, S),
    "place b": Call(Verb.PLACE, B, S),
    "trash a": Call(Verb.TRASH_DOCUMENT, A),
    "purge a": Call(Verb.PURGE_DOCUMENT, A),
    "trash s": Call(Verb.TRASH_SECTION, "", S),
    "purge s": Call(Verb.PURGE_SECTION, "", S),
}

# Actors are divided by a bar, what one does after the other by a semicolon. Whoever looks through the other document
# after a removal sees whether an opening that came before it is there by then.
PAIRS = [
    ("in both", "ensure a | ensure a"),
    ("in both", "ensure a | ensure b"),
    ("in both", "ensure a | remove a; peek b"),
    ("in both", "ensure a | trash a; peek b"),
    ("in a", "ensure a | trash a; purge a"),
    ("in both, a is trashed", "ensure b | purge a"),
    ("in both", "ensure a | trash s; purge s"),
    ("in a", "ensure b | place b"),
    ("in both", "remove a | remove a"),
    ("in both", "remove a | place a"),
    ("in both", "remove a | trash a"),
    ("in both", "remove a | trash s; purge s"),
    ("in both, a is trashed", "remove b | purge a"),
    ("in a, which is trashed", "place b | purge a"),
    ("in a", "place b | trash s; purge s"),
    ("in both, a is trashed", "purge a | purge a"),
    ("trashed in both, a is trashed", "purge a | purge s"),
    ("trashed in both", "purge s | purge s"),
]

TRIPLES = [
    ("in both", "ensure a | remove a | peek b"),
    ("in both", "ensure a | trash a | peek b"),
]

MORE = [
    ("in both", "ensure a | ensure b | ensure a"),
    ("in both", "ensure a | ensure b | remove a"),
    ("in both", "ensure a | ensure b | trash a"),
    ("in both", "ensure b | trash a; purge a"),
    ("in both, a is trashed", "ensure b | remove b | purge a"),
    ("in a", "ensure a | place b | trash s"),
]


def parts(text: str) -> Sequence[Sequence[Call]]:
    """Read what each actor does."""
    return [[CALLS[call.strip()] for call in part.split(";")] for part in text.split("|")]


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as stage:
        yield stage


@pytest.mark.parametrize(("state", "actors"), PAIRS + TRIPLES + (MORE if THOROUGH else []))
async def test_every_schedule_comes_to_an_end_that_one_thing_at_a_time_explains(
    stage: Stage, state: str, actors: str
) -> None:
    explored = await stage.explore(STATES[state], parts(actors))
    _log.info("%s, %s: %d schedules", state, actors, explored.schedules)
    if explored.wrong:
        wrong, first = len(explored.wrong), explored.wrong[0]
        pytest.fail(f"{wrong} of {explored.schedules} schedules went wrong, the first:\n{first}")
    # Rows are locked in one order by all, so nobody has to be thrown out and try again.
    assert explored.conflicts == 0
    assert explored.schedules > 1
