"""Ids: a prefix that says what it names, and a part that grows with time."""

from ulid import ULID

DOCUMENT, SECTION, CHAT, MESSAGE = "doc_", "sec_", "chat_", "msg_"
USER, WORKSPACE = "user_", "ws_"

_LONGEST = 256  # no id that we store comes near it


def new(prefix: str) -> str:
    """Return a fresh id with this prefix; ids made later sort later, to the millisecond."""
    return f"{prefix}{ULID()}"


def is_findable(sent: str) -> bool:
    """Tell whether a row could have this id at all; one that could not is not found without asking."""
    return 0 < len(sent) <= _LONGEST and is_storable(sent)


def is_storable(value: str) -> bool:
    """Tell whether every engine can keep this text: no NUL, and no half of a surrogate pair."""
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
