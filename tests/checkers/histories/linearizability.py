"""Linearizability: whether operations that overlapped can be put into one order that explains all their answers.

The algorithm is the search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe
("Testing for Linearizability", 2017), as in Knossos and Porcupine: take any operation that began before the first of
the others ended, ask the model whether it may answer so, go on with the rest, and go back where nothing fits; a set of
operations that has led to the same state before is not tried again. What can change nothing is taken as soon as it
fits.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")
A = TypeVar("A")
S = TypeVar("S")

NEVER = float("inf")
"""When an operation returned of which nobody knows whether it took effect: it may do so at any time, or not at all."""


@dataclass(frozen=True)
class Operation(Generic[C, A]):
    """What was asked and answered, and when, by one clock. No answer: it was lost, and returns `NEVER`."""

    call: C
    answer: A | None
    called: float
    returned: float


class Undecided(Exception):
    """The search took longer than it may; the history is neither right nor wrong."""


Step = Callable[[S, C, A | None], S | None]
"""A sequential model: the state after a call, or None where it cannot have answered so. No answer fits all."""


def left_over(
    history: Sequence[Operation[C, A]],
    initial: S,
    step: Step[S, C, A],
    changed_nothing: Callable[[A], bool],
    *,
    seconds: float = 30,
) -> Sequence[Operation[C, A]]:
    """Return what the best order leaves unexplained, in the order of the calls: nothing, if it is linearizable.

    `changed_nothing` tells of answers that leave every state as it is in which they can be given. The states of the
    model are hashable. Raises `Undecided` after so many seconds.
    """
    history = sorted(history, key=lambda operation: operation.called)
    # Sets of operations are the bits of numbers.
    to_explain = sum(1 << n for n, operation in enumerate(history) if operation.returned < NEVER)

    def with_looks(done: int, state: S) -> int:
        """Add those that changed nothing and may come next: whatever explains the rest, they may as well come now."""
        added = True
        while added:
            added = False
            for n in _next(history, done):
                answer = history[n].answer
                if answer is not None and changed_nothing(answer) and step(state, history[n].call, answer) == state:
                    done |= 1 << n
                    added = True
        return done

    give_up = time.monotonic() + seconds
    best = done = with_looks(0, initial)
    tried = {(done, initial)}
    path = [(done, initial, _next(history, done))]
    while path:
        done, state, candidates = path[-1]
        if done & to_explain == to_explain:
            return []
        for n in candidates:
            after = step(state, history[n].call, history[n].answer)
            if after is None:
                continue
            now_done = with_looks(done | 1 << n, after)
            if (now_done, after) not in tried:
                tried.add((now_done, after))
                path.append((now_done, after, _next(history, now_done)))
                best = max(best, now_done, key=int.bit_count)
                break
        else:
            path.pop()
        if time.monotonic() > give_up:
            raise Undecided(f"{len(history)} operations, {len(tried)} states in {seconds} s")
    return [operation for n, operation in enumerate(history) if not best >> n & 1 and operation.returned < NEVER]


def _next(history: Sequence[Operation[C, A]], done: int) -> Iterator[int]:
    """Yield those that may come next: they were called before any of the others had returned."""
    first_return = NEVER
    # From the first that is missing: all before it is done.
    for n in range((~done & (done + 1)).bit_length() - 1, len(history)):
        if not done >> n & 1:
            if history[n].called > first_return:
                return
            first_return = min(first_return, history[n].returned)
            yield n
