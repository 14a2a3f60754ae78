"""Several server processes under load: all that they answer could have been answered by one thing at a time.

MARGINALIA_TEST_SECONDS says for how long they are asked, on each database.
"""

from db.connection.database import Database
from tests.checkers.histories.load import Load
from tests.checkers.reference_model import UNAVAILABLE
from tests.support.client import Client
from tests.support.invariants import violations
from tests.support.thorough import seconds, thorough

SECONDS = seconds(20 if thorough() else 3)

SEEN = {
    *("CREATED", "FOUND", "SectionNotInDocument", "SectionNotFound", "DocumentNotFound"),
    *("PlaceSectionSuccess", "RemoveSectionSuccess"),
    *("TrashDocumentSuccess", "RestoreDocumentSuccess", "TrashSectionSuccess", "RestoreSectionSuccess"),
}
"""All that must have been answered, or the load was none."""

UNAVAILABLE_AT_MOST = {"sqlite": 5, "postgresql": 0}
"""How often somebody may be told to try again, though nobody is killed or locked out."""


async def test_the_answers_of_four_processes_are_linearizable(clients: list[Client], database: Database) -> None:
    load = Load(clients, database)
    await load.run(SECONDS)
    await load.run_in_twos(SECONDS / 6)
    assert load.wrong() == []
    assert load.answers.keys() >= SEEN
    assert load.answers["lost"] == 0
    assert load.answers[UNAVAILABLE] <= UNAVAILABLE_AT_MOST[database.dialect]
    assert await violations(database) == []
