"""The invariants, tested themselves: each finds what breaks it, and nothing else."""

import pytest
from sqlalchemy import text

from db import positions
from db.connection.database import Database
from db.doctor.invariants import INVARIANTS
from tests.support.corruption import BROKEN, fill, unconstrain
from tests.support.invariants import violations, violations_in_stretches

LAST = "MESSAGES_NUMBERED the last number of a chat is that of its last message"

ALSO = {
    "NO_DANGLING_REFERENCE a chat with messages has its section": {
        "NO_WRONG_CHAT_POINTER a pointer names the chat of its section"
    },
    "MESSAGES_NUMBERED the messages of a chat are numbered 1, 2, 3 without a gap": {LAST},
    "MESSAGES_NUMBERED an author's client id names one message of a chat": {LAST},
}
"""What cannot but break along with it."""


@pytest.mark.parametrize("broken", BROKEN)
async def test_every_invariant_finds_what_breaks_it(database: Database, broken: str) -> None:
    """Shows: no query of the invariants is blind, on tables that have lost all their constraints."""
    await fill(database)
    assert await violations_in_stretches(database) == []
    await unconstrain(database)
    assert await violations(database) == []
    async with database.begin() as session:
        await session.execute(text(BROKEN[broken]))
    lines = await violations(database)
    assert lines == await violations_in_stretches(database)
    found = {line.partition(": ")[0] for line in lines}
    assert found == {broken} | ALSO.get(broken, set())


def test_there_is_a_statement_for_every_invariant() -> None:
    assert BROKEN.keys() == {f"{invariant.rule} {invariant.name}" for invariant in INVARIANTS}


async def place_all(database: Database, position: str) -> None:
    async with database.begin() as session:
        await session.execute(text("UPDATE document_sections SET position = :position"), {"position": position})


async def test_every_position_behind_which_there_is_no_room_is_found(database: Database) -> None:
    """Shows: the query calls well formed what the library does, which would fail to place a section behind the rest."""
    await fill(database)
    for position in ["", "a", "0", "a-", "b0", "Y0", "a00", "á0", "A" + "0" * 26]:
        with pytest.raises(positions.Malformed):
            positions.after(position)
        await place_all(database, position)
        found = [line.split(maxsplit=1)[0] for line in await violations(database)]
        assert found == ["POSITIONS_DISTINCT"], position


async def test_every_position_that_is_one_is_found_well_formed(database: Database) -> None:
    await fill(database)
    for position in ["a0", "Zz", "b00", "a0V", "a01", "Y00", "zzzzzzzzzzzzzzzzzzzzzzzzzzz"]:
        await place_all(database, position)
        assert await violations(database) == [], position
        assert positions.after(position) > [position]
