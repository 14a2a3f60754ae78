"""Patience: five attempts, with pauses by which two who collided part."""

import asyncio

import pytest

from db.connection.retry import RetrySchedule

RUNS = 200
"""So many that one of them certainly waits for less than half of what it may, and another one for more."""


@pytest.mark.parametrize(("eager", "longest"), [(False, [0.02, 0.04, 0.08, 0.16]), (True, [0.04, 0.08, 0.16])])
async def test_there_are_five_attempts_with_longer_and_longer_pauses_of_any_length(
    monkeypatch: pytest.MonkeyPatch, eager: bool, longest: list[float]
) -> None:
    """Shows: those who collided do not do so again at the next attempt, and make more and more room for each other."""
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    for _ in range(RUNS):
        assert [number async for number in RetrySchedule(eager=eager)] == [1, 2, 3, 4, 5]
    assert len(pauses) == RUNS * len(longest)
    for nth, most in enumerate(longest):
        at_this_one = pauses[nth :: len(longest)]
        assert 0 <= min(at_this_one) < most / 2 < max(at_this_one) <= most
