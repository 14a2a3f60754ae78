"""Observing: what is noted of every run of an operation, for people who read logs."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from marginalia.observability import log_config
from marginalia.transports.runner import OperationRecord

_log = logging.getLogger("marginalia.access")


@contextmanager
def access_log(run: OperationRecord) -> Iterator[None]:
    """Log one line for each run: which operation, how it ended, what it took; nothing that was sent with it."""
    try:
        yield
    finally:
        log_config.tell(
            _log,
            "operation",
            operation=run.name,
            kind=run.kind,
            transport=run.transport,
            outcome=run.outcome,
            code=run.code,
            statements=run.query_stats.statements,
            ms=round((time.perf_counter() - run.started) * 1000, 1),
        )
