"""Log configuration: readable text on a terminal, JSON lines elsewhere, and never the text of a message or section."""

import json
import logging
import sys
from datetime import UTC, datetime
from io import StringIO
from typing import Any, TextIO

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from marginalia.terminal import printable, printable_text


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send our logs and those of libraries to one stream, standard error by default, in one format."""
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
    # Tracebacks omit local variables, because they may hold users' texts.
    renderer: list[structlog.typing.Processor] = (
        [_printable, structlog.dev.ConsoleRenderer(exception_formatter=_write_traceback)]
        if stream.isatty()
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(serializer=_as_json),
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
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs every check of the schema
    logging.getLogger("marginalia.connections").setLevel(logging.WARNING)  # it logs each handshake with its URL
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # we log starts and ends ourselves
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request with its URL
    # Their debug logs are for their developers: every statement with its values, every Markdown rule.
    for library in ("aiosqlite", "markdown_it", "httpcore"):
        logging.getLogger(library).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))


def log_event(logger: logging.Logger, event: str, **fields: object) -> None:
    """Log an event that occurs with every request: the same result as structlog, in a fifth of the time."""
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, event, (), None)
        record.fields = fields
        logger.handle(record)


class _JsonLines(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """Format events of `log_event` directly, and leave the rest to the processors."""
        fields = getattr(record, "fields", None)
        if fields is None:
            return super().format(record)
        event = {
            **fields,
            "event": record.msg,
            **structlog.contextvars.get_contextvars(),
            "logger": record.name,
            "level": "info",
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        line = orjson.dumps(event)
        # Beyond ASCII there are control characters that orjson does not escape.
        return line.decode() if line.isascii() and b"\x7f" not in line else _as_json(event)


def _printable(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # On a terminal, no text from outside may contain control sequences.
    return {printable(name): _shown(name, value) for name, value in event.items()}


def _shown(name: str, value: object) -> object:
    if name in _IN_LINES:
        return printable_text(value) if isinstance(value, str) else value
    return printable(value if isinstance(value, str) else repr(value))


def _write_traceback(stream: TextIO, error: structlog.typing.ExcInfo) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write(printable_text(text.getvalue()))


def _as_json(event: object, **_options: object) -> str:
    return _ENCODER.encode(event).replace("\x7f", "\\u007f")  # JSON escapes all other control characters


def _flat(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.update(event.pop("fields", {}))
    return event


def _without_colors(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # uvicorn also passes each message in a version with terminal colours.
    event.pop("color_message", None)
    return event


_IN_LINES = ("exc_info", "exception", "stack")
"""The keys that the renderer writes on separate lines."""

_ENCODER = json.JSONEncoder(separators=(", ", ": "))
