"""Legacy files: parses and validates JSON with the documents, sections, chats and messages of another system.

docs/legacy-import.md describes the format. Known fields are taken as they are, and unknown fields are counted. A value
that would be lost or is ambiguous is a problem, reported with its location.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from db import ids
from db.models import MessageRole, SectionStatus
from services import limits, validation

E = TypeVar("E", SectionStatus, MessageRole)

DEPTH = 100
"""The deepest nesting of lists and objects in a JSON value, far below the limits of the databases."""


def _id(prefix: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("is neither a string nor an integer")
    if not value:
        raise ValueError("is empty")
    kept = value if value.startswith(prefix) else prefix + value
    if not ids.is_findable(kept):
        raise ValueError("is too long for an id, or holds a NUL character or half of a surrogate pair")
    return kept


def _pointer(prefix: str, value: object) -> str | None:
    return None if value is None or value == "" else _id(prefix, value)


def _text(longest: int, value: str) -> str:
    if invalid := validation.text("text", value, longest):
        raise ValueError(invalid.message)
    return value


def _storable(value: Any, level: int = 1) -> Any:
    """Check that every supported database can store a JSON value."""
    match value:
        case dict() | list() if level > DEPTH:
            raise ValueError(f"is nested deeper than {DEPTH} levels")
        case str() if not ids.is_storable(value):
            raise ValueError("holds a NUL character or half of a surrogate pair")
        case float() if not math.isfinite(value):
            raise ValueError("holds a number that is too large")
        case dict():
            for part in (*value, *value.values()):
                _storable(part, level + 1)
        case list():
            for part in value:
                _storable(part, level + 1)
    return value


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("is not a string with a time")
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a time in ISO 8601 format") from None


def _one_of(kind: type[E], value: object) -> E:
    if isinstance(value, str) and value.upper() in kind.__members__:
        return kind[value.upper()]
    raise ValueError(f"is not one of {', '.join(kind)}")


DocumentId = Annotated[str, BeforeValidator(partial(_id, ids.DOCUMENT))]
SectionId = Annotated[str, BeforeValidator(partial(_id, ids.SECTION))]
ChatId = Annotated[str, BeforeValidator(partial(_id, ids.CHAT))]
MessageId = Annotated[str, BeforeValidator(partial(_id, ids.MESSAGE))]
DocumentPointer = Annotated[str | None, BeforeValidator(partial(_pointer, ids.DOCUMENT))]
ChatPointer = Annotated[str | None, BeforeValidator(partial(_pointer, ids.CHAT))]
Time = Annotated[datetime, BeforeValidator(_time)]
Name = Annotated[str, AfterValidator(partial(_text, limits.CLIENT_ID_LENGTH))]
Title = Annotated[str, AfterValidator(partial(_text, limits.TITLE_LENGTH))]
Description = Annotated[str, AfterValidator(partial(_text, limits.DESCRIPTION_LENGTH))]
Content = Annotated[str, AfterValidator(partial(_text, limits.CONTENT_LENGTH))]
Post = Annotated[str, AfterValidator(partial(_text, limits.MESSAGE_LENGTH))]
Tags = Annotated[list[str], AfterValidator(_storable)]
Details = Annotated[dict[str, Any], AfterValidator(_storable)]
Status = Annotated[SectionStatus, BeforeValidator(partial(_one_of, SectionStatus))]
Speaker = Annotated[MessageRole, BeforeValidator(partial(_one_of, MessageRole))]


class Entry(BaseModel):
    """The base of all entries of a file; unknown fields are kept for the report."""

    model_config = ConfigDict(extra="allow", strict=True)


class LegacyDocument(Entry):
    """A document, with the ids of its sections in order."""

    id: DocumentId
    title: Title | None = None
    description: Description | None = None
    tags: Tags = []
    metadata: Details = {}
    section_ids: list[SectionId] = []
    created_by: Name | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    deleted_at: Time | None = None


class LegacySection(Entry):
    """A section; its chat pointer is kept even if it is wrong."""

    id: SectionId
    title: Title | None = None
    level: Annotated[int, Field(ge=1, le=6)] = 1
    content: Content = ""
    status: Status = SectionStatus.DRAFT
    tags: Tags = []
    metadata: Details = {}
    chat_session_id: ChatPointer = None
    created_by: Name | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    deleted_at: Time | None = None


class LegacyChat(Entry):
    """A chat; its creation time decides which of several chats of a section is kept."""

    id: ChatId
    section_id: SectionId
    document_id: DocumentPointer = None
    created_by: Name | None = None
    created_at: Time
    updated_at: Time | None = None


class LegacyMessage(Entry):
    """A message; its creation time decides its place in the chat."""

    id: MessageId
    chat_session_id: ChatId
    role: Speaker = MessageRole.USER
    author: Name | None = None
    content: Post
    client_id: Name | None = None
    created_at: Time
    updated_at: Time | None = None


class LegacyFile(Entry):
    """The content of a file."""

    documents: list[LegacyDocument] = []
    sections: list[LegacySection] = []
    chat_sessions: list[LegacyChat] = []
    messages: list[LegacyMessage] = []

    @property
    def lists(self) -> dict[str, Sequence[Entry]]:
        """The lists, by their names in the file."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def unknown(self) -> Counter[str]:
        """The number of occurrences of each unknown field, by its list and name."""
        # Only the names: a counter would treat the values of a mapping as counts.
        found = Counter([*(self.model_extra or ())])
        for name, entries in self.lists.items():
            found.update(f"{name}[].{field}" for entry in entries for field in entry.model_extra or ())
        return found


class BadFile(ValueError):
    """A file cannot be imported; each problem says why, with its location."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read(source: bytes) -> LegacyFile:
    """Parse a file, validate each entry, and check that ids are unique. Raises `BadFile`."""
    try:
        plain = json.loads(source.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number)
        file = LegacyFile.model_validate(plain)
    except UnicodeDecodeError as error:
        raise BadFile([f"This is not UTF-8: {error.reason} at byte {error.start:,}"]) from None
    except RecursionError:
        raise BadFile(["This is nested too deeply"]) from None
    except ValidationError as error:
        raise BadFile(f"{_place(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()) from None
    except ValueError as error:
        raise BadFile([f"This is not JSON: {error}"]) from None
    if not any(file.lists.values()):
        raise BadFile([f"This has none of {', '.join(file.lists)}"])
    if doubles := [*_doubles(file)]:
        raise BadFile(doubles)
    return file


def _doubles(file: LegacyFile) -> Iterable[str]:
    for name, entries in file.lists.items():
        yield from _again(f"{name}[{{}}].id", [entry.id for entry in entries])  # type: ignore[attr-defined] # all have one
    for number, document in enumerate(file.documents):
        yield from _again(f"documents[{number}].section_ids[{{}}]", document.section_ids)


def _again(place: str, found: Sequence[str]) -> Iterable[str]:
    first: dict[str, int] = {}
    for number, each in enumerate(found):
        if first.setdefault(each, number) != number:
            yield f"{place.format(number)}: {each} is a duplicate of {place.format(first[each])}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"an object has {names.most_common(1)[0][0]!r} twice")
    return made


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _place(location: Sequence[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".") or "The file"
