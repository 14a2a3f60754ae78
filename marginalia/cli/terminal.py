"""Lines: what is written where a terminal reads along, with all that a terminal would obey spelled out."""

import json
import sys
import traceback
from io import TextIOWrapper
from types import TracebackType


def printable(line: str) -> str:
    """Return a line with all that is no plain character spelled out.

    Ids, names of files, headers and errors hold what others chose, and a terminal does what it is told: by control
    characters (C0, DEL, C1) it is recoloured or renamed, by bidirectional ones a line reads as another.
    """
    return line if line.isascii() and line.isprintable() else "".join(map(_spelled_out, line))


def printable_text(text: str) -> str:
    """Return a text as `printable` does, its lines and tabs as they are."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def write_line(line: str, *, error: bool = False) -> None:
    """Write a line to standard output, or to standard error, and hold nothing back."""
    print(printable(line), file=sys.stderr if error else sys.stdout, flush=True)


def as_json(value: object) -> str:
    """Write a value as a line of JSON in ASCII, in which nothing is left for a terminal to obey."""
    return json.dumps(value).replace("\x7f", "\\u007f")  # JSON spells out all but this one


def spell_out_what_cannot_be_encoded() -> None:
    """Let no character fail that the locale has no encoding for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the traceback of an error that nobody caught; its text can quote anything."""
    for part in traceback.format_exception(kind, error, trace):
        sys.stderr.write(printable_text(part))


def _spelled_out(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
