"""The access log: one line per executed operation."""

import logging
import time
from collections.abc import Callable

from marginalia.observability import log_config
from marginalia.transports.runner import OperationRecord

_log = logging.getLogger("marginalia.access")


def access_log(run: OperationRecord) -> Callable[[], None]:
    """Log one line at the end of an operation: its name, outcome and cost, and nothing that the client sent with it."""

    def end() -> None:
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

    return end
