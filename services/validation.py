"""Validation: checks arguments against the limits.

A check returns the violation that it finds, or None; `invalid` combines violations into one outcome.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from db.ids import is_storable
from services import limits
from services.outcomes import InvalidInput, Violation

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_LINE_ENDING = re.compile(r"\r\n?|\n")


def invalid(*found: Violation | None) -> InvalidInput | None:
    """Return the outcome with all violations, or None if there are none."""
    violations = tuple(violation for violation in found if violation is not None)
    return InvalidInput(violations) if violations else None


def within(argument: str, violations: Iterable[Violation | None]) -> Iterator[Violation | None]:
    """Return violations in the fields of an input object."""
    return (found and Violation((argument, *found.path), found.message) for found in violations)


def text(argument: str, value: str | None, longest: int) -> Violation | None:
    """Check a text: at most `longest` characters, all of which every supported database can store."""
    if value is None:
        return None
    if len(value) > longest:
        return Violation((argument,), f"is longer than {longest:,} characters")
    if not is_storable(value):
        return Violation((argument,), "holds a NUL character or half of a surrogate pair")
    return None


def markdown(value: str) -> Violation | None:
    """Check Markdown as `text` does, and add the line of a character that cannot be stored."""
    violation = text("markdown", value, limits.MARKDOWN_LENGTH)
    found = _NOT_STORABLE.search(value) if violation and len(value) <= limits.MARKDOWN_LENGTH else None
    if violation is None or found is None:
        return violation
    line = len(_LINE_ENDING.findall(value, 0, found.start())) + 1
    return Violation(violation.path, f"{violation.message} in line {line:,}")


def as_title(value: str | None) -> str:
    """Return a text as a title: on one line, and shortened to the limit."""
    line = _NOT_STORABLE.sub("\ufffd", " ".join((value or "").split()))
    return line if len(line) <= limits.TITLE_LENGTH else line[: limits.TITLE_LENGTH - 1].rstrip() + "\u2026"


def non_blank_text(argument: str, value: str, longest: int) -> Violation | None:
    """Check a text that must not be blank."""
    return text(argument, value, longest) or (None if value.strip() else Violation((argument,), "is blank"))


def title(value: str | None) -> Violation | None:
    """Check a title, which must be a non-blank line; None means that the caller gave none."""
    if value is None:
        return None
    return non_blank_text("title", value, limits.TITLE_LENGTH) or (
        Violation(("title",), "holds a line break") if len(value.strip().splitlines()) > 1 else None
    )


def section_fields(fields: Mapping[str, Any]) -> Sequence[Violation | None]:
    """Check the given fields of a section, which all but the title must have a value."""
    return (
        *(_no_null(name, fields) for name in ("level", "content", "status")),
        title(fields.get("title")),
        level(fields.get("level")),
        text("content", fields.get("content"), limits.CONTENT_LENGTH),
        *labels(fields),
    )


def document_fields(fields: Mapping[str, Any]) -> Sequence[Violation | None]:
    """Check the given fields of a document, which all but the description must have a value."""
    return (
        _no_null("title", fields),
        title(fields.get("title")),
        text("description", fields.get("description"), limits.DESCRIPTION_LENGTH),
        *labels(fields),
    )


def labels(fields: Mapping[str, Any]) -> Sequence[Violation | None]:
    """Check the tags and the metadata, if they are given."""
    return (
        _no_null("tags", fields),
        _tags(fields.get("tags") or ()),
        _no_null("metadata", {"metadata": fields["details"]} if "details" in fields else {}),
        _metadata(fields.get("details")),
    )


def summary(value: str | None) -> Violation | None:
    """Check the summary of a change; None means that the caller gave none."""
    return None if value is None else non_blank_text("summary", value, limits.SUMMARY_LENGTH)


def level(value: int | None) -> Violation | None:
    """Check the level of a heading; None means that the caller gave none."""
    return None if value is None or 1 <= value <= 6 else Violation(("level",), "is not from 1 to 6")


def caller_id(prefix: str, value: str | None) -> Violation | None:
    """Check the id, including its prefix, that a caller chose for a new object; None means that it chose none."""
    if value is None:
        return None
    own = value.removeprefix(prefix)
    if 1 <= len(own) <= limits.CALLER_ID_LENGTH and own.isprintable() and " " not in own:
        return None
    return Violation(("id",), f"is not 1 to {limits.CALLER_ID_LENGTH} visible characters")


def user_id(value: str) -> Violation | None:
    """Check the id of a user, without its prefix, who need not be known yet."""
    return non_blank_text("userId", value, limits.USER_ID_LENGTH)


def expiry(value: datetime | None) -> Violation | None:
    """Check the time at which something expires; None means never."""
    if value is None:
        return None
    if value.tzinfo is None:
        return Violation(("expiresAt",), "has no time zone, such as the Z at the end of 2026-11-27T09:30:00Z")
    try:
        return Violation(("expiresAt",), "is in the past") if value.astimezone(UTC) <= datetime.now(UTC) else None
    except OverflowError:
        return Violation(("expiresAt",), "is before or after all times")


def client_id(value: str | None) -> Violation | None:
    """Check the idempotency key of a post; None means that the caller gave none."""
    return None if value is None else non_blank_text("clientId", value, limits.CLIENT_ID_LENGTH)


def _no_null(name: str, fields: Mapping[str, Any]) -> Violation | None:
    return Violation((name,), "is null; leave it out to keep it") if name in fields and fields[name] is None else None


def _tags(tags: Sequence[str]) -> Violation | None:
    if len(tags) > limits.TAGS:
        return Violation(("tags",), f"are more than {limits.TAGS}")
    if len(set(tags)) < len(tags):
        return Violation(("tags",), "holds a tag twice")
    return next((found for tag in tags if (found := non_blank_text("tags", tag, limits.TAG_LENGTH))), None)


def _metadata(value: Any) -> Violation | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return Violation(("metadata",), "is not a JSON object")
    texts: list[str] = []
    level: list[Any] = [value]
    for _ in range(limits.METADATA_DEPTH):
        texts += [key for each in level if isinstance(each, dict) for key in each]
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = list(chain.from_iterable(inside))
        texts += [each for each in level if isinstance(each, str)]
    if any(isinstance(each, dict | list) for each in level):
        return Violation(("metadata",), f"is nested deeper than {limits.METADATA_DEPTH} levels")
    try:
        length = len(json.dumps(value, allow_nan=False, ensure_ascii=False))
    except ValueError:
        return Violation(("metadata",), "holds a number that JSON does not have")
    if length > limits.METADATA_LENGTH:
        return Violation(("metadata",), f"is longer than {limits.METADATA_LENGTH:,} characters as JSON")
    return text("metadata", "".join(texts), limits.METADATA_LENGTH)
