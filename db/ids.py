"""Ids: a prefix for the type, and a ULID that sorts by time."""

from ulid import ULID

DOCUMENT, SECTION, CHAT, MESSAGE = "doc_", "sec_", "chat_", "msg_"
USER, WORKSPACE = "user_", "ws_"
API_KEY, SHARE_LINK, AUDIT_ENTRY = "key_", "link_", "audit_"

_LONGEST = 256  # no id that we store comes near it


def new(prefix: str) -> str:
    """Return a new id with this prefix. Ids made later sort later, to the millisecond."""
    return f"{prefix}{ULID()}"


def with_prefix(prefix: str, sent: str) -> str:
    """Return the id with its prefix, which callers may leave out. An empty id stays empty: nothing has it."""
    return sent if not sent or sent.startswith(prefix) else prefix + sent


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
