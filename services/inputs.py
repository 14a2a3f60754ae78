"""Inputs: the published limits of what a client may send, and the checks that hold them.

A check returns the `InvalidInput` to answer with, or None; checks are chained with `or`, the first finding wins.
"""

import re

from db.ids import is_storable
from services.outcomes import InvalidInput

TITLE_LENGTH = 1_000
DESCRIPTION_LENGTH = 10_000
CONTENT_LENGTH = 1_000_000
MARKDOWN_LENGTH = 4_000_000
MARKDOWN_LINES = 200_000
MARKDOWN_BLOCKS = 200_000
IMPORTED_SECTIONS = 10_000
IMPORT_SECONDS = 10
"""Of processor time, for parsing."""
PENDING_MARKDOWN_LENGTH = 4 * MARKDOWN_LENGTH
"""How many characters of imports, and of exports, wait in a process at most."""
MESSAGE_LENGTH = 100_000
CLIENT_ID_LENGTH = 200
PAGE_SIZE = 20
LARGEST_PAGE = 100
LARGEST_SECTIONS_PAGE = 500
NODES = 100
ENSURED_SECTIONS = 500

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_LINE_ENDING = re.compile(r"\r\n?|\n")
_OWN_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")


def text(argument: str, value: str | None, longest: int) -> InvalidInput | None:
    """Check a text: at most `longest` characters, all of them such that every database can keep them."""
    if value is None:
        return None
    if len(value) > longest:
        return InvalidInput(argument, f"is longer than {longest:,} characters")
    if not is_storable(value):
        return InvalidInput(argument, "holds a NUL character or half of a surrogate pair")
    return None


def markdown(value: str) -> InvalidInput | None:
    """Check a text to be imported, as `text` does; what cannot be kept is named with its line."""
    invalid = text("markdown", value, MARKDOWN_LENGTH)
    found = _NOT_STORABLE.search(value) if invalid and len(value) <= MARKDOWN_LENGTH else None
    if invalid is None or found is None:
        return invalid
    line = len(_LINE_ENDING.findall(value, 0, found.start())) + 1
    return InvalidInput("markdown", f"{invalid.reason} in line {line:,}")


def as_title(value: str | None) -> str:
    """Return a text that was found as a title: as one line, shortened where it is too long."""
    line = _NOT_STORABLE.sub("\ufffd", " ".join((value or "").split()))
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "\u2026"


def non_blank_text(argument: str, value: str, longest: int) -> InvalidInput | None:
    """Check a text that must say something."""
    return text(argument, value, longest) or (None if value.strip() else InvalidInput(argument, "is blank"))


def title(value: str | None) -> InvalidInput | None:
    """Check a title: a text of one line that says something; None: none is given."""
    if value is None:
        return None
    return non_blank_text("title", value, TITLE_LENGTH) or (
        InvalidInput("title", "holds a line break") if len(value.strip().splitlines()) > 1 else None
    )


def level(value: int | None) -> InvalidInput | None:
    """Check the level of a heading; None: none is given."""
    return None if value is None or 1 <= value <= 6 else InvalidInput("level", "is not from 1 to 6")


def caller_id(prefix: str, value: str | None) -> InvalidInput | None:
    """Check an id that a caller chose for what it creates; None: it leaves the choice to us."""
    if value is None or (value.startswith(prefix) and _OWN_ID.fullmatch(value)):
        return None
    return InvalidInput("id", f"is not {prefix} followed by A-Z, a-z, 0-9, _ or -, 4 to 64 characters in all")


def client_id(value: str | None) -> InvalidInput | None:
    """Check the key that a sender gives to a post; None: it gives none."""
    return None if value is None else non_blank_text("clientId", value, CLIENT_ID_LENGTH)
