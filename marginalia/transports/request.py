"""Request parsing: strict decoding of GraphQL requests, for every transport."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import orjson

from engine.request import GraphQLRequest

MOST_TEXTS = 20_000
"""The maximum number of strings in a long body."""

MOST_BESIDE_TEXTS = 200_000
"""The maximum size of a body without its strings, in bytes. Shorter bodies are not checked."""


class InvalidJSON(ValueError):
    """The body is not JSON, or has too many values. The text is one sentence for the client."""


class MalformedRequest(ValueError):
    """The body is JSON, but not a GraphQL request. The text is one sentence for the client."""


def read(data: object) -> GraphQLRequest:
    """Read a GraphQL request from decoded JSON. Raises `MalformedRequest`."""
    if not isinstance(data, dict):
        raise MalformedRequest("The request must be a JSON object")
    call = GraphQLRequest(
        query=_member(data, "query", str),
        # Neither an id nor a name can be empty: clients without one send "" as well as null.
        document_id=_member(data, "documentId", str) or None,
        operation_name=_member(data, "operationName", str) or None,
        variables=_member(data, "variables", dict) or {},
        extensions=_member(data, "extensions", dict) or {},
    )
    if not call.query and call.document_id is None and "persistedQuery" not in call.extensions:
        raise MalformedRequest("The request has neither a query nor the id of a document")
    return call


def read_parameters(parameters: Mapping[str, str]) -> GraphQLRequest:
    """Read a GraphQL request from URL parameters, two of which are JSON. Raises `InvalidJSON` and `MalformedRequest`.

    An empty parameter counts as omitted.
    """
    data: dict[str, object] = {name: value for name, value in parameters.items() if value}
    for name in ("variables", "extensions"):
        if name in data:
            data[name] = decode(parameters[name])
    return read(data)


def decode(data: str | bytes | bytearray) -> object:
    """Decode JSON strictly: UTF-8 only, no NaN, no excessive nesting. A long body must consist mostly of strings.

    Raises `InvalidJSON`.
    """
    if len(data) > MOST_BESIDE_TEXTS:
        # Invalid UTF-8 is detected below.
        _hold_to_texts(data.encode("utf-8", "replace") if isinstance(data, str) else data)
    try:
        if not _LONG_NUMBER.search(data.encode("utf-8", "replace") if isinstance(data, str) else data):
            with suppress(orjson.JSONDecodeError):  # it refuses unpaired surrogates, which JSON allows
                return orjson.loads(data)
        return _DECODER.decode(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError):
        raise InvalidJSON("This is not JSON") from None


def encode(data: object) -> bytes:
    """Encode JSON in UTF-8, or in ASCII if it quotes an unpaired surrogate, which UTF-8 cannot encode."""
    try:
        return orjson.dumps(data)
    except TypeError:  # a surrogate, an integer of more than 64 bits, or deep nesting
        return _ENCODER.encode(data).encode()


def _hold_to_texts(data: bytes | bytearray) -> None:
    # Decoding blocks the event loop: 20 MB of strings take a tenth of a second, 20 MB of brackets two seconds.
    beside, position = 0, 0
    for number, found in enumerate(_TEXT.finditer(data)):
        beside, position = beside + found.start() - position, found.end()
        if number == MOST_TEXTS or beside > MOST_BESIDE_TEXTS:
            break
    else:
        beside += len(data) - position
        if beside <= MOST_BESIDE_TEXTS:
            return
    raise InvalidJSON("The body is long, and has too many values besides its strings")


def _member(data: dict[str, Any], name: str, kind: type) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        raise MalformedRequest(f"{name} must be {'a string' if kind is str else 'an object'} or null")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# A JSON string, or an unterminated rest; possessive, so it never backtracks.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)

# orjson reads an integer of more than 64 bits as a float, and a float that is too large as an error.
_LONG_NUMBER = re.compile(rb"\d{18}")

# Created once: the module's functions would create one per request.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
