"""Ids: a prefix for the type, and a ULID that sorts by time."""

from urllib.parse import quote, unquote

from ulid import ULID

DOCUMENT, SECTION, CHAT, MESSAGE = "doc_", "sec_", "chat_", "msg_"
USER, WORKSPACE = "user_", "ws_"
API_KEY, SHARE_LINK, AUDIT_ENTRY, GRANT = "key_", "link_", "audit_", "grant_"

_LONGEST = 256  # no id that we store comes near it


def new(prefix: str) -> str:
    """Return a new id with this prefix. Ids made later sort later, to the millisecond."""
    return f"{prefix}{ULID()}"


def with_prefix(prefix: str, sent: str) -> str:
    """Return the id with its prefix, which callers may leave out. An empty id stays empty: nothing has it."""
    return sent if not sent or sent.startswith(prefix) else prefix + sent


def of_grant(document_id: str, user_id: str) -> str:
    """Return the id of the grant of a user on a document, in which both ids are percent-encoded."""
    return f"{GRANT}{quote(document_id, safe='')}/{quote(user_id, safe='')}"


def parts_of_grant(sent: str) -> tuple[str, str] | None:
    """Return the ids of the document and of the user in the id of a grant. None: no grant has this id."""
    document_id, _, user_id = (unquote(part) for part in sent.removeprefix(GRANT).partition("/"))
    parts = document_id, user_id
    return parts if all(map(is_findable, parts)) and of_grant(*parts) == sent else None


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
