"""Fifty users of two workspaces in one process: no byte of one reaches the other, and each gets what the rule says."""

import logging
import time

from tests.checkers.isolation.load import Load
from tests.support.invariants import violations
from tests.support.thorough import thorough

OPERATIONS = 10_000 if thorough() else 600

_log = logging.getLogger(__name__)


async def test_no_caller_is_told_what_is_not_for_it(load: Load) -> None:
    """Shows: the oracle knows every caller's rights, and the callers really share their statements."""
    assert len(load.callers) == 50
    started = time.perf_counter()
    await load.run(OPERATIONS)
    sent = sum(load.counts.values()) - load.counts["put off"]
    await load.meet()
    seconds = time.perf_counter() - started
    read = f"{load.statements} statements for {load.anchors} anchors, {load.shared} of them across workspaces"
    figures = f"{dict(load.counts)}, {load.events} events, {read}"
    _log.info("%s: seed %d, %.1f s: %s", load.served.database.dialect, load.seed, seconds, figures)
    assert load.leaks == []
    assert load.wrong == [], f"seed {load.seed}"
    assert sent == OPERATIONS
    assert load.counts["put off"] <= OPERATIONS // 100
    assert load.counts["cancelled"]
    assert load.events
    assert load.statements < load.anchors
    assert load.shared
    assert await violations(load.served.database) == []
