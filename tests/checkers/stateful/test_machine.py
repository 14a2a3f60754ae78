"""Any calls in any order: the answers are those of a model of a hundred lines, and so is what they leave behind."""

import asyncio
import logging
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from db.connection.database import Database
from tests.checkers.stateful.machine import Machine
from tests.support.invariants import violations
from tests.support.thorough import thorough

_log = logging.getLogger(__name__)

PROFILE = settings(
    max_examples=400 if thorough() else 14,
    stateful_step_count=50,
    # The same calls every time: what fails here fails again.
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # To find the fewest calls that fail takes minutes.
    phases=[Phase.generate, *([Phase.shrink] if thorough() else [])],
)

ALL = {
    *("CREATED", "FOUND", "REPAIRED", "EnsureSectionChatsSuccess", "EnsureDocumentChatsSuccess", "PostMessageSuccess"),
    *("CreateDocumentSuccess", "TrashDocumentSuccess", "RestoreDocumentSuccess", "PurgeDocumentSuccess"),
    *("CreateSectionSuccess", "TrashSectionSuccess", "RestoreSectionSuccess", "PurgeSectionSuccess"),
    *("PlaceSectionSuccess", "RemoveSectionSuccess"),
    *("DocumentNotFound", "SectionNotFound", "SectionNotInDocument", "ChatSessionNotFound"),
    *("Forbidden", "IdTaken", "NotInTrash", "ClientIdConflict"),
}
"""What may be answered."""


def test_whatever_is_called_in_whatever_order_the_answers_are_those_of_the_model(database_url: str) -> None:
    answers = Counter[str]()
    with asyncio.Runner() as runner:
        database = runner.run(_opened(database_url))

        class Bound(Machine):
            def __init__(self) -> None:
                super().__init__(runner, database, answers)

        try:
            run_state_machine_as_test(Bound, settings=PROFILE)
            # Of all workspaces together, once: after each it would take ever longer.
            broken = runner.run(violations(database))
            # A section that stands nowhere cannot be asked for, so its pointer stays broken.
            assert [
                line for line in broken if not line.startswith(("NO_WRONG_CHAT_POINTER", "NO_MISSING_CHAT_POINTER"))
            ] == []
        finally:
            runner.run(database.close())
    assert answers.keys() <= ALL
    # Which calls are made depends on the text of the machine and on the version of Hypothesis.
    assert len(answers) >= len(ALL) - 2, f"it has not come far: {ALL - answers.keys()}"
    _log.info("%s: %d calls: %s", database.dialect, answers.total(), dict(answers))


async def _opened(url: str) -> Database:
    return Database(url)
