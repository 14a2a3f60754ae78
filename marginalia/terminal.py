"""Terminal output: text from outside, with control characters escaped."""

import json
import sys
import traceback
from io import TextIOWrapper
from types import TracebackType


def printable(line: str) -> str:
    """Return a line with every unprintable character escaped.

    Ids, file names, headers and errors hold text that others chose. Control characters (C0, DEL, C1) could recolour or
    rename the terminal, and bidirectional ones could make a line read as another.
    """
    return line if line.isascii() and line.isprintable() else "".join(map(_spelled_out, line))


def printable_text(text: str) -> str:
    """Return a text as `printable` does, but keep its line breaks and tabs."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def write_line(line: str, *, error: bool = False) -> None:
    """Write a line to standard output or standard error, and flush it."""
    print(printable(line), file=sys.stderr if error else sys.stdout, flush=True)


def as_json(value: object) -> str:
    """Return a value as a line of ASCII JSON, with every control character escaped."""
    return json.dumps(value).replace("\x7f", "\\u007f")  # JSON escapes all but this one


def spell_out_what_cannot_be_encoded() -> None:
    """Escape characters that the locale's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the traceback of an uncaught error, escaped: its text can quote anything."""
    for part in traceback.format_exception(kind, error, trace):
        sys.stderr.write(printable_text(part))


def _spelled_out(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
