"""Faults at each statement of each command: tried again where that can help, otherwise told, and never half done."""

import random
import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from db.connection.database import Database
from db.connection.retry import MAX_ATTEMPTS
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from tests.checkers.faults import seed
from tests.checkers.faults.commands import COMMANDS, Command, kind
from tests.checkers.faults.fault_injection import COMMIT, Steps, Strike, failed, raised, sent, watched
from tests.support.invariants import violations
from tests.support.quiescence import assert_at_rest
from tests.support.thorough import thorough

UNAVAILABLE = "TemporarilyUnavailable"
MASKED = "a masked fault"
ALWAYS = 10**9


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and how it is met."""

    strike: Strike
    tried_again: bool = False
    waited_for: bool = False
    masked: bool = False
    alone: bool = False
    """Whether no other one is like it. Those that are met alike take turns at the steps of a command."""

    @property
    def met(self) -> tuple[object, ...]:
        """How it is met."""
        return self.tried_again, self.waited_for, self.masked, self.alone


TAKEN = sent("INSERT INTO workspaces (workspace_id) VALUES ('local')")
NOWHERE = sent(
    "INSERT INTO documents (workspace_id, id, title, created_by) VALUES ('nowhere', 'doc_nowhere', 'A', 'somebody')"
)

FAULTS = {
    "postgresql": {
        "40001": Fault(raised("40001"), tried_again=True),
        "40P01": Fault(raised("40P01"), tried_again=True),
        "another unique constraint": Fault(TAKEN, masked=True),
        "a foreign key": Fault(NOWHERE, masked=True),
        "statement timeout": Fault(raised("57014")),
        "lost connection": Fault(sent("SELECT pg_terminate_backend(pg_backend_pid())"), alone=True),
    },
    "sqlite": {
        "SQLITE_BUSY": Fault(failed(sqlite3.SQLITE_BUSY), waited_for=True),
        "SQLITE_FULL": Fault(failed(sqlite3.SQLITE_FULL)),
        "SQLITE_IOERR": Fault(failed(sqlite3.SQLITE_IOERR_WRITE)),
        "SQLITE_PROTOCOL": Fault(failed(sqlite3.SQLITE_PROTOCOL)),
        "another unique constraint": Fault(TAKEN, masked=True),
        "a foreign key": Fault(NOWHERE, masked=True),
    },
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between two attempts: nobody else is there."""
    monkeypatch.setattr(random, "uniform", lambda _least, _most: 0)


@pytest.mark.parametrize(
    "command", [pytest.param(each, id=str(each), marks=[pytest.mark.thorough] * each.rare) for each in COMMANDS]
)
async def test_a_fault_at_any_step_leaves_all_as_it_was_or_all_done(
    database: Database, struck: Database, struck_in_a_hurry: Database, command: Command
) -> None:
    await seed.make(database)
    with watched(struck, Steps()) as steps:
        assert kind(await command.call(Store(struck, LOCAL_OWNER))) == command.right
    done = await seed.shape(database)
    assert kind(await command.call(Store(struck, LOCAL_OWNER))) == command.again
    if command.repeatable:
        assert await seed.shape(database) == done

    for name, fault in FAULTS[database.dialect].items():
        for at, text_of_step in enumerate(steps.sent):
            if (fault.masked and not steps.writing[at]) or not (thorough() or _has_its_turn(fault, database, at)):
                continue
            for times in (1, ALWAYS) if _helps(fault, steps, at) else (1,):
                await seed.make(database)
                case = f"{name}, step {at}: {text_of_step[:60]}, {times} times"
                hands = struck_in_a_hurry if fault.waited_for and times == ALWAYS else struck
                await _strike(
                    database, hands, struck, command, fault, Steps(fault.strike, at, times), done, case, steps
                )
    # What is not in the world as it is made is in order, whatever was done last.
    assert [
        line
        for line in await violations(database)
        if not line.startswith(("NO_WRONG_CHAT_POINTER", "NO_MISSING_CHAT_POINTER"))
    ] == []


async def _strike(
    database: Database,
    struck: Database,
    unhurried: Database,
    command: Command,
    fault: Fault,
    steps: Steps,
    done: list[Any],
    case: str,
    undisturbed: Steps,
) -> None:
    before = await seed.contents(database)
    # What comes after the end of the transaction only looks at what was done.
    changed = COMMIT in undisturbed.sent[: steps.at]
    with watched(struck, steps):
        try:
            answer = kind(await command.call(Store(struck, LOCAL_OWNER)))
        except IntegrityError:
            answer = MASKED
    await assert_at_rest(struck, database)

    if fault.masked:
        assert (answer, steps.struck) == (MASKED, 1), case
    elif _helps(fault, undisturbed, steps.at):
        assert answer == (command.right if steps.times == 1 else UNAVAILABLE), case
        if fault.tried_again:
            assert steps.struck == min(steps.times, MAX_ATTEMPTS), case
    else:
        assert (answer, steps.struck) == (UNAVAILABLE, 1), case
    if answer != command.right and not changed:
        assert await seed.contents(database) == before, case
    if answer == command.right:
        assert await seed.shape(database) == done, case
    else:
        assert kind(await command.call(Store(unhurried, LOCAL_OWNER))) == (
            command.again if changed else command.right
        ), case
        assert await seed.shape(database) == done, case
    await assert_at_rest(struck, database)


def _has_its_turn(fault: Fault, database: Database, at: int) -> bool:
    alike = [each for each in FAULTS[database.dialect].values() if each.met == fault.met]
    return alike[at % len(alike)] is fault


def _helps(fault: Fault, steps: Steps, at: int) -> bool:
    """Tell whether another try is made: of a transaction that lost, or of the lock that begins one in SQLite."""
    return (fault.tried_again and steps.writing[at]) or (fault.waited_for and steps.sent[at] == "BEGIN IMMEDIATE")
