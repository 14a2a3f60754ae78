"""Steps: what belongs to which part of a request's way, by the file that runs."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.sampled import Place

STEPS = {
    "HTTP: uvicorn, h11": ("uvicorn/", "h11/"),
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
    "our schema, resolvers": ("schema/", "resolvers/"),
    "our services": ("services/",),
    "our db": ("db/",),
    "SQLAlchemy": ("sqlalchemy/",),
    "asyncpg": ("asyncpg/",),
}
"""The beginnings of the files of each step; the first that fits counts."""

EVENT_LOOP = "event loop"
OTHER = "other"

_OUTERMOST = {("asyncio/events.py", "_run"), ("asyncio/base_events.py", "_run_once")}

_ROOTS = ("/site-packages/", f"{Path(__file__).parents[1]}/", f"{Path(json.__file__).parents[1]}/")
"""Where files are that have a short name: packages, our own, the standard library."""


def step(stack: Iterable[Place]) -> str:
    """Return the step of a stack: that of the innermost place which has one.

    What has none, as most of the standard library, works for whoever has called it. So does the event loop where it
    reads or writes for somebody; the rest of it is where a callback begins, and what is outside of that has no part.
    """
    for file, name in stack:
        short = _short(file)
        if (short, name) in _OUTERMOST:
            return EVENT_LOOP
        for step_, beginnings in STEPS.items():
            if short.startswith(beginnings):
                return step_
    return OTHER


def functions(stacks: Iterable[tuple[tuple[Place, ...], int]]) -> Counter[str]:
    """Count by innermost function."""
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
