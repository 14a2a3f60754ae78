"""Observing: what is noted of every run of an operation, for people who read logs."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from marginalia import logs
from marginalia.running import Run

_log = logging.getLogger("marginalia.access")


@contextmanager
def access_log(run: Run) -> Iterator[None]:
    """Log one line for each run: which operation, how it ended, what it took; nothing that was sent with it."""
    try:
        yield
    finally:
        logs.tell(
            _log,
            "operation",
            operation=run.name,
            kind=run.kind,
            transport=run.transport,
            outcome=run.outcome,
            code=run.code,
            statements=run.tally.statements,
            ms=round((time.perf_counter() - run.started) * 1000, 1),
        )
