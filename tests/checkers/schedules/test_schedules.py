"""Every schedule of those who ensure, place, remove, trash, restore and purge: what must hold holds in each of them.

Each has to come to its end without a fault and without a wait for ever, leave the invariants whole, and answer as one
thing at a time could have: one chat, opened once; nothing of it after a removal that was acknowledged; no typed "no"
that changed anything (H1 to H3, H6). Where there are too many, as of three and of more at once, those
with few switches are played; with MARGINALIA_TEST_THOROUGH=1 more of them, in smaller steps.
"""

import logging
from collections.abc import Sequence

import pytest

from tests.checkers.reference_model import Call, Margin, Verb
from tests.checkers.schedules.scheduler import ANOTHER, staged
from tests.support.thorough import thorough

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_log = logging.getLogger(__name__)

A, B, S = "doc_a", "doc_b", "sec_s"

IN_A = Margin(placed=frozenset({(A, S)}))
IN_BOTH = Margin(placed=frozenset({(A, S), (B, S)}))
WITH_CHAT = IN_BOTH._replace(chats=frozenset({(S, "chat_s")}))
TO_NOTHING, TO_ANOTHER = frozenset({(S, "chat_gone")}), frozenset({(S, ANOTHER[1])})

STATES = {
    "in a": IN_A,
    "in both": IN_BOTH,
    "in a, which is trashed": IN_A._replace(trashed=frozenset({A})),
    "in both, a is trashed": IN_BOTH._replace(trashed=frozenset({A})),
    "trashed in both": IN_BOTH._replace(trashed=frozenset({S})),
    "trashed in both, a is trashed": IN_BOTH._replace(trashed=frozenset({S, A})),
    "with chat": WITH_CHAT,
    "with chat, trashed": WITH_CHAT._replace(trashed=frozenset({S})),
    "pointing to nothing": IN_BOTH._replace(pointers=TO_NOTHING),
    "with chat, pointing to nothing": WITH_CHAT._replace(pointers=TO_NOTHING),
    "with chat, pointing to another's": WITH_CHAT._replace(pointers=TO_ANOTHER),
    "with chat, pointing to another's, a is trashed": WITH_CHAT._replace(pointers=TO_ANOTHER, trashed=frozenset({A})),
}
"""Where the section stands at first; it has a chat, and stands in both, where that is said."""

CALLS = {
    "ensure a": Call(Verb.ENSURE, A, S),
    "ensure b": Call(Verb.ENSURE, B, S),
    "peek b": Call(Verb.PEEK, B, S),
    "remove a": Call(Verb.REMOVE, A, S),
    "remove b": Call(Verb.REMOVE, B, S),
    "place a": Call(Verb.PLACE, A, S),
    "place b": Call(Verb.PLACE, B, S),
    "trash a": Call(Verb.TRASH_DOCUMENT, A),
    "restore a": Call(Verb.RESTORE_DOCUMENT, A),
    "purge a": Call(Verb.PURGE_DOCUMENT, A),
    "trash s": Call(Verb.TRASH_SECTION, "", S),
    "restore s": Call(Verb.RESTORE_SECTION, "", S),
    "purge s": Call(Verb.PURGE_SECTION, "", S),
}

# Actors are divided by a bar, what one does after the other by a semicolon. Whoever looks through the other document
# after a removal sees whether an opening that came before it is there by then.
PAIRS = [
    ("in both", "ensure a | ensure a"),
    ("in both", "ensure a | ensure b"),
    ("in both", "ensure a | remove a; peek b"),
    ("in a", "ensure b | place b"),
    ("in both", "remove a | remove a"),
    ("in both", "remove a | place a"),
    ("in both", "remove a | trash a"),
    ("in both, a is trashed", "purge a | purge a"),
    ("trashed in both", "purge s | purge s"),
    ("in both", "trash a | restore a"),
    ("in both, a is trashed", "restore a | purge a"),
    ("trashed in both", "restore s | purge s"),
    ("trashed in both", "ensure b | restore s"),
    ("with chat", "ensure a | trash s; purge s"),
    ("with chat, trashed", "restore s | purge s"),
    ("pointing to nothing", "ensure a | ensure b"),
    ("with chat, pointing to nothing", "ensure a | ensure b"),
]

# Scenarios with more schedules than the suite has time for, and how often an actor is held in them for another one: in
# the suite, and with MARGINALIA_TEST_THOROUGH=1 (None: at every step).
MORE = [
    ("in both", "ensure a | trash a; peek b", 2, None),
    ("in both, a is trashed", "ensure b | purge a", 2, None),
    ("in both", "ensure a | trash s; purge s", 2, None),
    ("in both", "remove a | trash s; purge s", 1, None),
    ("in a", "place b | trash s; purge s", 1, None),
    ("trashed in both, a is trashed", "purge a | purge s", 2, None),
    ("with chat, pointing to nothing", "ensure a | remove a; peek b", 2, None),
    ("with chat, pointing to another's, a is trashed", "ensure b | purge a", 1, None),
    ("in both", "ensure a | trash a | peek b", 1, None),
    ("in a", "ensure a | trash a; purge a", 1, None),
    ("in both, a is trashed", "remove b | purge a", 1, None),
    ("in a, which is trashed", "place b | purge a", 1, None),
    ("in both", "ensure a | remove a | peek b", 1, None),
    ("in both", "ensure a | ensure b | ensure a", 0, None),
    ("in both", "ensure a | ensure b | remove a", 0, None),
    ("in both", "ensure a | ensure b | trash a", 0, None),
    ("in both", "ensure b | trash a; purge a", 1, None),
    ("in both, a is trashed", "ensure b | remove b | purge a", 0, 3),
    ("in a", "ensure a | place b | trash s", 0, None),
    ("with chat, pointing to another's", "ensure a | trash s; purge s", 1, None),
]

# In all orders in which these can come one after the other; and with MARGINALIA_TEST_THOROUGH=1 five of them, in those
# in which one of them is interrupted as well.
MANY = (
    ("in both", "ensure a | ensure b | remove b | trash a | purge a", 1)
    if thorough()
    else ("in both", "ensure b | remove b | trash a | purge a", 0)
)


def parts(text: str) -> Sequence[Sequence[Call]]:
    """Read what each actor does."""
    return [[CALLS[call.strip()] for call in part.split(";")] for part in text.split("|")]


def least(state: Margin, call: Call) -> int:
    """Return how many steps a call takes at least if it is let: a look and no more, or one, a change and a commit."""
    finds = bool(state.chats) and not state.pointers
    return 1 if call.verb is Verb.PEEK or (call.verb is Verb.ENSURE and finds) else 3


@pytest.mark.parametrize(
    ("state", "actors", "switches"),
    [
        *((state, actors, None) for state, actors in PAIRS),
        *((state, actors, most if thorough() else few) for state, actors, few, most in MORE),
        MANY,
    ],
)
async def test_every_schedule_comes_to_an_end_that_one_thing_at_a_time_explains(
    database_url: str, state: str, actors: str, switches: int | None
) -> None:
    async with staged(database_url, actors=len(parts(actors))) as stage:
        explored = await stage.explore(STATES[state], parts(actors), switches=switches)
    _log.info("%s, %s, switches %s: %d schedules", state, actors, switches, explored.schedules)
    if explored.wrong:
        wrong, first = len(explored.wrong), explored.wrong[0]
        pytest.fail(f"{wrong} of {explored.schedules} schedules went wrong, the first:\n{first}")
    # Rows are locked in one order by all, so nobody has to be thrown out and try again.
    assert explored.conflicts == 0
    assert explored.schedules > 1
    # Nobody slips by: each was held before its statements and before its commits.
    for actor, calls in enumerate(parts(actors)):
        assert explored.steps(actor) >= sum(least(STATES[state], call) for call in calls)
