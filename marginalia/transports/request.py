"""Calls: what a client asks to be run, read strictly out of what it sent, whatever the way it came."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from engine.request import GraphQLRequest

MOST_TEXTS = 20_000
"""How many strings a long body may have."""

MOST_BESIDE_TEXTS = 200_000
"""How many bytes a body may have beside its strings, and how long it may be before anybody counts."""


class InvalidJSON(ValueError):
    """What was sent is not JSON, or too much of it; the text is one sentence for the client."""


class MalformedRequest(ValueError):
    """What was sent is JSON, but no call; the text is one sentence for the client."""


def read(data: object) -> GraphQLRequest:
    """Read a call out of decoded JSON. Raises `MalformedRequest`."""
    if not isinstance(data, dict):
        raise MalformedRequest("The request must be a JSON object")
    call = GraphQLRequest(
        query=_member(data, "query", str),
        # Neither an id nor a name can be empty: clients that have none of these send "" as well as null.
        document_id=_member(data, "documentId", str) or None,
        operation_name=_member(data, "operationName", str) or None,
        variables=_member(data, "variables", dict) or {},
        extensions=_member(data, "extensions", dict) or {},
    )
    if not call.query and call.document_id is None and "persistedQuery" not in call.extensions:
        raise MalformedRequest("The request has neither a query nor the id of a document")
    return call


def read_parameters(parameters: Mapping[str, str]) -> GraphQLRequest:
    """Read a call out of the parameters of a URL, two of which are JSON. Raises `InvalidJSON` and `MalformedRequest`.

    A parameter that is empty counts as left out.
    """
    data: dict[str, object] = {name: value for name, value in parameters.items() if value}
    for name in ("variables", "extensions"):
        if name in data:
            data[name] = decode(parameters[name])
    return read(data)


def decode(data: str | bytes | bytearray) -> object:
    """Read JSON strictly: UTF-8 only, no NaN, no bottomless nesting; of a long body, mostly texts.

    Raises `InvalidJSON`.
    """
    if len(data) > MOST_BESIDE_TEXTS:
        # What is no UTF-8 is found below.
        _hold_to_texts(data.encode("utf-8", "replace") if isinstance(data, str) else data)
    try:
        return _DECODER.decode(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError):
        raise InvalidJSON("This is not JSON") from None


def encode(data: object) -> str:
    """Write JSON. In ASCII: an answer may quote half of a surrogate pair, which UTF-8 cannot say."""
    return _ENCODER.encode(data)


def _hold_to_texts(data: bytes | bytearray) -> None:
    # Nothing else is served while JSON is read: 20 MB of text take a tenth of a second, of brackets two.
    beside, position = 0, 0
    for number, found in enumerate(_TEXT.finditer(data)):
        beside, position = beside + found.start() - position, found.end()
        if number == MOST_TEXTS or beside > MOST_BESIDE_TEXTS:
            break
    else:
        beside += len(data) - position
        if beside <= MOST_BESIDE_TEXTS:
            return
    raise InvalidJSON("The body is long, and not for its texts: it has too many values")


def _member(data: dict[str, Any], name: str, kind: type) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        raise MalformedRequest(f"{name} must be {'a string' if kind is str else 'an object'} or null")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# A string of JSON, or what is left of one that does not end; it never goes back.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)

# Made once: the functions of the module would make one for each request.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
