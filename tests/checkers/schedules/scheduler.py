"""A stage: actors on a PostgreSQL database, set up anew for each schedule, and every schedule of theirs."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg

from db.connection.database import Database
from tests.checkers.histories.asking import perform
from tests.checkers.histories.linearizability import left_over
from tests.checkers.reference_model import UNAVAILABLE, Call, Margin, Operation, Verb, changed_nothing, step
from tests.checkers.schedules.actors import Actor, acting
from tests.support.invariants import violations

DOCUMENTS, SECTIONS = ("doc_a", "doc_b"), ("sec_s",)

ANOTHER = ("sec_another", "chat_of_another")
"""A section that stands nowhere, which nobody asks for, and its chat."""

MOMENT = 0.002
"""How many seconds a step may take before somebody looks whether it waits for a lock."""

PATIENCE = 30
"""How many seconds a schedule may take: then nobody in it gets any further."""

_OF_TRASH = {
    *(Verb.TRASH_DOCUMENT, Verb.RESTORE_DOCUMENT, Verb.PURGE_DOCUMENT),
    *(Verb.TRASH_SECTION, Verb.RESTORE_SECTION, Verb.PURGE_SECTION),
}
"""What changes, or looks at, what is in the trash."""

_BLOCKED = "SELECT pid, pg_blocking_pids(pid) FROM unnest($1::int[]) AS pid"


_EMPTY = "; ".join(
    f"DELETE FROM {table}"  # noqa: S608 - our own names
    for table in (
        *("chat_sessions", "document_sections", "former_placements", "section_revisions", "document_revisions"),
        *("sections", "documents"),
    )
)
_ROWS = """
INSERT INTO {} (workspace_id, id, title, created_by, deleted_at)
SELECT 'local', id, 'A title', 'me', CASE WHEN id = ANY ($2::text[]) THEN now() END FROM unnest($1::text[]) AS id
"""
_PLACED = """
INSERT INTO document_sections (workspace_id, document_id, section_id, position)
SELECT 'local', document_id, section_id, 'a0' FROM unnest($1::text[], $2::text[]) AS placed (document_id, section_id)
"""
_CHATS = """
INSERT INTO chat_sessions (workspace_id, section_id, id, document_id, created_by)
SELECT 'local', section_id, id, 'doc_a', 'me' FROM unnest($1::text[], $2::text[]) AS opened (section_id, id)
"""
_POINTED = """
UPDATE sections SET chat_session_id = chat_id
FROM unnest($1::text[], $2::text[]) AS pointed (section_id, chat_id) WHERE id = section_id
"""


@dataclass
class Choice:
    """A moment at which several actors could go on: their numbers, and which of them did."""

    actors: Sequence[int]
    taken: int = 0


@dataclass
class Played:
    """A schedule as it was: the choices, what was asked and answered, and what was wrong with it."""

    choices: list[Choice] = field(default_factory=list)
    history: list[Operation] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        order = " ".join(str(choice.actors[choice.taken]) for choice in self.choices)
        told = [f"{o.called:g}-{o.returned:g} {o.call}: {o.answer}" for o in sorted(self.history, key=_called)]
        return "\n".join([*self.wrong, f"schedule {order}", *told])


@dataclass
class Explored:
    """All schedules of some actors: their orders, those that went wrong, and how often transactions collided."""

    orders: list[tuple[int, ...]] = field(default_factory=list)
    wrong: list[Played] = field(default_factory=list)
    conflicts: int = 0

    @property
    def schedules(self) -> int:
        """How many there were."""
        return len(self.orders)

    def steps(self, actor: int) -> int:
        """How many steps an actor took, in the schedule in which it took most."""
        return max(order.count(actor) for order in self.orders)


class Stage:
    """Plays what actors do, in an order of choice, and holds what came of it against the model and the invariants."""

    def __init__(self, actors: Sequence[Actor], watch: asyncpg.Connection, moved: asyncio.Event, after: Database):
        """`watch` sets up and sees who waits for whom; `after` is where the end is looked at; actors set `moved`."""
        self.actors = actors
        self._watch, self._moved, self._after = watch, moved, after

    async def explore(
        self,
        initial: Margin,
        parts: Sequence[Sequence[Call]],
        *,
        switches: int | None = None,
        until_wrong: bool = False,
    ) -> Explored:
        """Play every schedule of the parts, depth first, or until one went wrong.

        `switches` bounds how often one who could go on is held for another one (None: as often as there are steps).
        There are far fewer schedules then, and most mistakes need few switches: M. Musuvathi and S. Qadeer, Iterative
        Context Bounding for Systematic Testing of Multithreaded Programs, PLDI 2007. With 0 each does all of its calls
        before another one begins, but for waiting: every order of whole callers.
        """
        explored = Explored()
        conflicts = sum(actor.conflicts for actor in self.actors)
        plan: list[Choice] = []
        while True:
            played = await self.play(initial, parts, [choice.taken for choice in plan], switches)
            explored.orders.append(tuple(choice.actors[choice.taken] for choice in played.choices))
            if played.wrong:
                explored.wrong.append(played)
                if until_wrong:
                    break
            # Back to the last choice that leaves another one.
            plan = [replace(choice) for choice in played.choices]
            while plan and plan[-1].taken == len(plan[-1].actors) - 1:
                plan.pop()
            if not plan:
                break
            plan[-1].taken += 1
        explored.conflicts = sum(actor.conflicts for actor in self.actors) - conflicts
        return explored

    async def play(
        self,
        initial: Margin,
        parts: Sequence[Sequence[Call]],
        choices: Sequence[int] = (),
        switches: int | None = None,
    ) -> Played:
        """Play the parts from the same beginning: as chosen, and then always the first who may go on."""
        await self._set_up(initial)
        played = Played()
        ticks = itertools.count(1)
        cast = self.actors[: len(parts)]
        for actor, calls in zip(cast, parts, strict=True):
            actor.begin(calls, played.history, lambda: float(next(ticks)))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._direct(cast, played, iter(choices), switches)
        except TimeoutError:
            played.wrong.append("nobody gets any further")
        for actor in cast:
            actor.let_go()
        for actor in cast:
            if fault := await actor.end():
                played.wrong.append(f"{type(fault).__name__}: {str(fault).splitlines()[0]}")
        played.wrong += await violations(self._after)
        await self._look(parts, played, ticks)
        played.wrong += [
            f"{operation.call} was told {UNAVAILABLE}" for operation in played.history if _is_unavailable(operation)
        ]
        if not played.wrong:
            played.wrong += [
                f"nothing explains {operation.call}: {operation.answer}"
                for operation in left_over(played.history, initial, step, changed_nothing)
            ]
        return played

    async def _direct(
        self, cast: Sequence[Actor], played: Played, choices: Iterator[int], switches: int | None
    ) -> None:
        going = None
        while True:
            await self._settled(cast)
            ready = [number for number, actor in enumerate(cast) if actor.is_held]
            if not ready:
                return
            could_go_on = going in ready
            if could_go_on and switches == 0:
                ready = [number for number in ready if number == going]
            # The same beginning leads to the same choices, but for who is told first of a deadlock.
            choice = Choice(ready, min(next(choices, 0), len(ready) - 1))
            played.choices.append(choice)
            taken = ready[choice.taken]
            if could_go_on and taken != going and switches is not None:
                switches -= 1
            going = taken
            cast[going].go_on()

    async def _settled(self, cast: Sequence[Actor]) -> None:
        """Wait until each actor stands before a step, is done, or waits for one who stands there."""
        while running := [actor for actor in cast if actor.is_running]:
            self._moved.clear()
            try:
                async with asyncio.timeout(MOMENT):
                    await self._moved.wait()
            except TimeoutError:
                blockers = {pid: set(by) for pid, by in await self._watch.fetch(_BLOCKED, [a.pid for a in running])}
                if [actor for actor in cast if actor.is_running] == running and _all_wait(cast, blockers):
                    return

    async def _look(self, parts: Sequence[Sequence[Call]], played: Played, ticks: "itertools.count[int]") -> None:
        """Ask what is there in the end, in the trash as well, as a part of the history."""
        asked = {call.verb for part in parts for call in part}
        calls = [Call(Verb.PEEK, document, section) for document in DOCUMENTS for section in SECTIONS]
        if asked & _OF_TRASH:
            restored = [Call(Verb.RESTORE_DOCUMENT, document) for document in DOCUMENTS]
            calls += [*restored, *(Call(Verb.RESTORE_SECTION, "", section) for section in SECTIONS), *calls]
        for call in calls:
            called = float(next(ticks))
            played.history.append(Operation(call, await perform(self._after, call), called, float(next(ticks))))

    async def _set_up(self, state: Margin) -> None:
        await self._watch.execute(_EMPTY)
        for table, ids in (("documents", DOCUMENTS), ("sections", (*SECTIONS, ANOTHER[0]))):
            await self._watch.execute(_ROWS.format(table), list(ids), list(state.trashed))
        chats = {**dict(state.chats), **dict([ANOTHER])}
        for insert, pairs in (
            (_PLACED, state.placed),
            (_CHATS, chats.items()),
            (_POINTED, (chats | dict(state.pointers)).items()),
        ):
            await self._watch.execute(insert, *([pair[n] for pair in pairs] for n in (0, 1)))


@asynccontextmanager
async def staged(url: str, actors: int = 3) -> AsyncIterator[Stage]:
    """Give a stage with so many actors on a database of PostgreSQL that is nobody else's."""
    moved = asyncio.Event()
    async with AsyncExitStack() as stack:
        cast = [await stack.enter_async_context(acting(url, moved)) for _ in range(actors)]
        watch = await asyncpg.connect(url)
        stack.push_async_callback(watch.close)
        after = Database(url)
        stack.push_async_callback(after.close)
        yield Stage(cast, watch, moved, after)


def _all_wait(cast: Sequence[Actor], blockers: Mapping[int, set[int]]) -> bool:
    """Tell whether all who run wait, each in the end for some who are held: those who wait in a circle do not last."""
    still = {actor.pid for actor in cast if actor.is_held}
    while more := {pid for pid, by in blockers.items() if by and by <= still} - still:
        still |= more
    return blockers.keys() <= still


def _is_unavailable(operation: Operation) -> bool:
    return operation.answer is not None and operation.answer.kind == UNAVAILABLE


def _called(operation: Operation) -> float:
    return operation.called
