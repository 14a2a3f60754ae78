"""The session watch and interruptions: waits end once, with the right reason, and nothing else is disturbed."""

import asyncio
import time

import pytest

from marginalia.authentication.local import LOCAL_OWNER
from marginalia.authentication.session import End, Session, SessionEnded
from marginalia.authentication.watch import SessionWatch
from marginalia.transports.interruption import Interruption
from tests.support.asgi_socket import SECONDS


async def ended(session: Session, watch: SessionWatch, *, allowed: bool = True) -> str:
    """Wait under a watch until the session ends, and return why."""
    interruption = Interruption()

    async def is_allowed() -> bool:
        return allowed

    with watch.watching(session, interruption.interrupt, is_allowed):
        async with asyncio.timeout(SECONDS):
            with pytest.raises(SessionEnded) as raised:
                await interruption.wait(asyncio.Event().wait)
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr] # this is a task
    return raised.value.code


async def test_a_wait_ends_for_the_reason_of_its_session() -> None:
    watch = SessionWatch(0.01)

    async def revoked() -> bool:
        return False

    reasons = await asyncio.gather(
        ended(Session(LOCAL_OWNER, time.time() + 0.05), watch),
        ended(Session(LOCAL_OWNER, None, revoked), watch),
        ended(Session(LOCAL_OWNER), watch, allowed=False),
    )
    assert list(reasons) == ["TOKEN_EXPIRED", "TOKEN_REVOKED", "ACCESS_REVOKED"]
    await watch.close()


async def test_a_check_that_hangs_keeps_no_expired_token_alive() -> None:
    watch = SessionWatch(0.01)

    async def hang() -> bool:
        await asyncio.Event().wait()
        return True

    hanging = Session(LOCAL_OWNER, None, hang)
    with watch.watching(hanging, lambda _reason: None):
        assert await ended(Session(LOCAL_OWNER, time.time() + 0.05), watch) == End.TOKEN_EXPIRED
    await watch.close()


async def test_a_check_that_fails_ends_nothing() -> None:
    watch, checks = SessionWatch(0.01), asyncio.Queue[None]()

    async def fail() -> bool:
        checks.put_nowait(None)
        raise ZeroDivisionError

    session = Session(LOCAL_OWNER, None, fail)
    with watch.watching(session, lambda _reason: pytest.fail("it was interrupted")):
        async with asyncio.timeout(SECONDS):
            for _ in range(3):
                await checks.get()
    assert session.principal() == LOCAL_OWNER
    await watch.close()


async def test_a_session_that_cannot_end_is_not_watched() -> None:
    watch = SessionWatch(0.01)
    with watch.watching(Session(LOCAL_OWNER), lambda _reason: None):
        assert watch._ticking is None
    await watch.close()


async def test_only_waits_are_interrupted() -> None:
    interruption = Interruption()
    interruption.interrupt(SessionEnded(End.TOKEN_EXPIRED))
    await asyncio.sleep(0)  # work between two waits goes on
    interruption.interrupt(SessionEnded(End.TOKEN_REVOKED))
    for _ in range(2):
        with pytest.raises(SessionEnded, match="expired"):
            await interruption.wait(asyncio.Event().wait)


async def test_a_task_that_is_cancelled_as_well_stays_cancelled() -> None:
    interruption = Interruption()
    waiting = asyncio.create_task(interruption.wait(asyncio.Event().wait))
    await asyncio.sleep(0)
    interruption.interrupt(SessionEnded(End.TOKEN_EXPIRED))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_interruption_at_the_end_of_a_wait_leaves_the_task_uncancelled() -> None:
    interruption, event = Interruption(), asyncio.Event()

    async def wait() -> None:
        with pytest.raises(SessionEnded):
            await interruption.wait(event.wait)
        await asyncio.sleep(0)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    event.set()
    interruption.interrupt(SessionEnded(End.TOKEN_EXPIRED))
    await waiting
