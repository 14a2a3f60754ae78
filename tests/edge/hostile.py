"""Hostile values: what a client can put where an id, a text, a number or a cursor is expected."""

import base64
import json
from typing import Any

IDS = {
    "nothing": "",
    "a blank": " ",
    "no prefix": "x",
    "almost a prefix": "doc",
    "an underscore": "_",
    "10 kB": "doc_" + "x" * 10_000,
    "a NUL": "doc_\0",
    "an emoji": "doc_😀",
    "half a character": "doc_\ud800",
    "halves the wrong way round": "sec_\udc00\ud800",
    "another kind": "msg_01M82JPJ9TG1ZJE36YV1AZTRQ5",
    "a way up": "../../doc_x",
    "SQL": "doc_' OR 1=1; DROP TABLE documents; --",
    "a pattern": "doc_%",
    "JSON": '["doc_x"]',
}

NO_IDS = {what: IDS[what] for what in ("nothing", "a blank", "10 kB", "a NUL", "half a character", "SQL")}
"""Ids that a caller cannot choose for what it creates."""

TEXTS = {
    "nothing": "",
    "blanks": " \t\n",
    "a NUL": "before\0after",
    "half a character": "before\ud800after",
    "halves the wrong way round": "\udc00\ud800",
    "control characters": "\x01\x1b[31m\x7f\x85\u2028\ufeff\uffff",
    "5 MB": "x" * 5_000_000,
    "100 kB of NUL": "\0" * 100_000,
}

NUMBERS = {str(number): number for number in (0, 7, -1, 101, 501, 2**31 - 1, 2**31, -(2**31) - 1, 10**30, 1.5, 1e300)}

OTHER_TYPES: dict[str, Any] = {
    "null": None,
    "a number": 5,
    "true": True,
    "a list": ["x"],
    "lists in lists": [[[]]],
    "an object": {"a": 1},
}


TIMES = {
    time: time
    for time in (
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59.999999-23:59",
        "10000-01-01T00:00:00Z",
        "2999-01-01T00:00:00",
        "2999-01-01T00:00:00+99:99",
        "2999-01-01",
        "2020-01-01T00:00:00Z",
        "2999-W01-1",
        "29990101T000000Z",
        "2999-02-30T00:00:00Z",
        "today",
    )
}


def cursor(*values: Any) -> str:
    """Make a cursor of anything, in the form of ours."""
    return encoded(json.dumps(values, separators=(",", ":")))


def encoded(text: str | bytes) -> str:
    """Return a text as base64, as it stands in our cursors."""
    data = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def cursors(order: str, *key: Any) -> dict[str, str]:
    """Return cursors that a connection in this order, whose rows have such a key, did not give."""
    dates = {
        f"the date {date}": cursor(order, date, *key[1:])
        for date in (
            "0000-01-01T00:00:00+00:00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999999-23:59",
            "10000-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+99:99",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T00:00:00Z",
            "2026-01-01",
            "today",
        )
        if str(key[0]).endswith("+00:00")
    }
    return {
        "a blank": " ",
        "garbage": "!!!",
        "not ASCII": "ünïcödé",
        "a NUL": "\0",
        "half a character": "\ud800",
        "garbage in base64": encoded(b"\xff\xfe\x00garbage"),
        "half of base64": cursor(order, *key)[:-3],
        "base64 with an end": cursor(order, *key) + "====",
        "10 kB": "A" * 10_000,
        "10 kB of key": cursor(order, *("x" * 10_000 for _ in key)),
        "an empty list": cursor(),
        "no key": cursor(order),
        "half of the key": cursor(order, *key[:-1]),
        "more than the key": cursor(order, *key, "x"),
        "another connection": cursor("others", *key),
        "a list for a name": cursor([order], *key),
        "lists for a key": cursor(order, *([part] for part in key)),
        "nulls": cursor(order, *(None for _ in key)),
        "booleans": cursor(order, *(True for _ in key)),
        "floats": cursor(order, *(1.5 for _ in key)),
        "huge numbers": cursor(order, *(10**30 for _ in key)),
        "negative numbers": cursor(order, *(-1 for _ in key)),
        "a NUL inside": cursor(order, *("\0" for _ in key)),
        "half a character inside": cursor(order, *("\ud800" for _ in key)),
        "blanks inside": encoded(json.dumps([order, *key], indent=1)),
        "deep lists": encoded("[" * 1_400),
        "a number": encoded("5"),
        "an object": encoded(json.dumps({order: 1, "b": 2})),
        "NaN": encoded("NaN"),
        "UTF-16": encoded(json.dumps([order, *key]).encode("utf-16")),
        **dates,
    }
