"""Frame categories: assign a stack to a part of request processing, by file name."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.sampling_profiler import Place

CATEGORIES = {
    "HTTP: uvicorn": ("uvicorn/", "h11/", "httptools/"),
    "ASGI: Starlette": ("starlette/",),
    "log": ("structlog/", "logging/", "marginalia/observability/log_config.py"),
    "JSON": ("json/",),
    "view: request, response": ("strawberry/http/", "strawberry/asgi/", "cross_web/", "marginalia/"),
    "parse": ("graphql/language/parser.py", "graphql/language/lexer.py", "graphql/language/source.py"),
    "validate": ("graphql/validation/",),
    "variables, arguments": ("graphql/execution/values.py", "strawberry/types/arguments.py"),
    "execute: graphql-core": ("graphql/execution/",),
    "loaders": ("strawberry/dataloader.py", "db/reading/loaders.py"),
    "execute: Strawberry": ("strawberry/",),
    "our engine": ("engine/",),
    "our schema, resolvers": ("schema/", "resolvers/"),
    "our services": ("services/",),
    "our db": ("db/",),
    "SQLAlchemy": ("sqlalchemy/",),
    "asyncpg": ("asyncpg/",),
}
"""The file prefixes of each category. The first match counts."""

EVENT_LOOP = "event loop"
OTHER = "other"

_OUTERMOST = {
    ("asyncio/events.py", "_run"),
    ("asyncio/base_events.py", "_run_once"),
    # uvloop has no frames of its own.
    ("asyncio/runners.py", "run"),
    ("uvicorn/_compat.py", "asyncio_run"),
}

_ROOTS = ("/site-packages/", f"{Path(__file__).parents[1]}/", f"{Path(json.__file__).parents[1]}/")
"""The folders whose files have a short name: packages, our code, the standard library."""


def category(stack: Iterable[Place]) -> str:
    """Return the category of a stack: that of its innermost frame with a category.

    A frame without a category, as in most of the standard library, counts for its caller. So do the event loop's reads
    and writes. The event loop's own frames are where a callback begins; frames outside of them are ignored.
    """
    for file, function in stack:
        short = _short(file)
        if (short, function) in _OUTERMOST:
            return EVENT_LOOP
        for name, prefixes in CATEGORIES.items():
            if short.startswith(prefixes):
                return name
    return OTHER


def functions(stacks: Iterable[tuple[tuple[Place, ...], int]]) -> Counter[str]:
    """Count the samples by innermost function."""
    counted: Counter[str] = Counter()
    for stack, count in stacks:
        file, name = stack[0]
        counted[f"{_short(file)}:{name}" if name else file] += count
    return counted


def _short(file: str) -> str:
    for root in _ROOTS:
        _before, found, rest = file.rpartition(root)
        if found:
            return rest
    return file
