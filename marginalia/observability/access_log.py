"""The access log: one line per executed operation."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from marginalia.observability import log_config
from marginalia.transports.runner import OperationRecord

_log = logging.getLogger("marginalia.access")


@contextmanager
def access_log(run: OperationRecord) -> Iterator[None]:
    """Log one line per operation: its name, outcome and cost. Nothing that the client sent with it is logged."""
    try:
        yield
    finally:
        log_config.log_event(
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
