"""Ids: a prefix for the type, and a ULID that sorts by time."""

from urllib.parse import quote, unquote

from ulid import ULID

DOCUMENT, SECTION, CHAT, MESSAGE = "doc_", "sec_", "chat_", "msg_"
USER, WORKSPACE = "user_", "ws_"
API_KEY, SHARE_LINK, AUDIT_ENTRY, GRANT = "key_", "link_", "audit_", "grant_"
PLACEMENT, SECTION_REVISION, DOCUMENT_REVISION = "placement_", "secrev_", "docrev_"

_LONGEST = 256  # no id that we store comes near it
_LONGEST_VERSION = 9  # digits


def new(prefix: str) -> str:
    """Return a new id with this prefix. Ids made later sort later, to the millisecond."""
    return f"{prefix}{ULID()}"


def with_prefix(prefix: str, sent: str) -> str:
    """Return the id with its prefix, which callers may leave out. An empty id stays empty: nothing has it."""
    return sent if not sent or sent.startswith(prefix) else prefix + sent


def of_pair(prefix: str, first: str, second: str) -> str:
    """Return the id of what two ids name, such as a grant: both are percent-encoded in it."""
    return f"{prefix}{quote(first, safe='')}/{quote(second, safe='')}"


def parts_of_pair(prefix: str, sent: str) -> tuple[str, str] | None:
    """Return the two ids in an id that `of_pair` made. None: it made no such id."""
    first, _, second = (unquote(part) for part in sent.removeprefix(prefix).partition("/"))
    parts = first, second
    return parts if all(map(is_findable, parts)) and of_pair(prefix, *parts) == sent else None


def of_grant(document_id: str, user_id: str) -> str:
    """Return the id of the grant of a user on a document."""
    return of_pair(GRANT, document_id, user_id)


def of_revision(prefix: str, row_id: str, version: int) -> str:
    """Return the id of the state of a section or a document at a version."""
    return of_pair(prefix, row_id, str(version))


def parts_of_revision(prefix: str, sent: str) -> tuple[str, int] | None:
    """Return the id of the section or the document and the version in an id. None: `of_revision` made no such id."""
    parts = parts_of_pair(prefix, sent)
    if parts is None or not parts[1].isdecimal() or len(parts[1]) > _LONGEST_VERSION:
        return None
    row_id, version = parts[0], int(parts[1])
    return (row_id, version) if of_revision(prefix, row_id, version) == sent else None


def is_findable(sent: str) -> bool:
    """Whether a row can have this id. If not, the lookup needs no statement."""
    return 0 < len(sent) <= _LONGEST and is_storable(sent)


def is_storable(value: str) -> bool:
    """Whether every engine can store this text: no NUL, and no unpaired surrogate."""
    if "\0" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
