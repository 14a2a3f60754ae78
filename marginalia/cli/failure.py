"""Failures of a command: one line on standard error, and an exit code."""

from typing import NoReturn

import typer

from marginalia.terminal import write_line

UNREADABLE = 2
"""The exit code of the doctor if the database cannot be read; 1 means findings."""

MISCONFIGURED = 2
"""The exit code of every command for wrong options or settings; unknown options have the same."""


def fail(line: str, code: int = 1) -> NoReturn:
    """End the command."""
    write_line(f"marginalia: {line}", error=True)
    raise typer.Exit(code)
