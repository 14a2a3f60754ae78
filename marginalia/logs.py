"""Logs: readable on a terminal, one JSON object a line elsewhere; never the text of a message or a section."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send what we and our libraries log to a stream, standard error by default, in one form, from this level on."""
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_colors,
        structlog.stdlib.ExtraAdder(allow=["fields"]),
        _flat,
    ]
    # Tracebacks without local variables, which would tell what is in the texts.
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if stream.isatty()
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    handler = logging.StreamHandler(stream)
    formatter = structlog.stdlib.ProcessorFormatter if stream.isatty() else _JsonLines
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every look at the schema
    logging.getLogger("marginalia.connections").setLevel(logging.WARNING)  # each handshake, and the query of its URL
    # They debug themselves: every statement, values and all; every rule; every header and message of a WebSocket.
    for library in ("aiosqlite", "markdown_it", "uvicorn.error"):
        logging.getLogger(library).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))


def tell(logger: logging.Logger, event: str, **fields: object) -> None:
    """Log an event that comes with every request: as structlog would, for a fifth of the time."""
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, event, (), None)
        record.fields = fields
        logger.handle(record)


class _JsonLines(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write what `tell` tells at once, and leave the rest to the processors."""
        fields = getattr(record, "fields", None)
        if fields is None:
            return super().format(record)
        return _ENCODER.encode(
            {
                **fields,
                "event": record.msg,
                **structlog.contextvars.get_contextvars(),
                "logger": record.name,
                "level": "info",
                "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            }
        )


def _flat(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.update(event.pop("fields", {}))
    return event


def _without_colors(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # uvicorn gives each line twice, once with the colours of a terminal.
    event.pop("color_message", None)
    return event


_ENCODER = json.JSONEncoder(separators=(", ", ": "))
