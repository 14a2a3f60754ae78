"""Persisted operations: documents known by id, from the server's manifest or, if allowed, registered by clients."""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum

import structlog

from engine.prepared_operation import refused
from engine.request import GraphQLRequest

REGISTERED_CHARACTERS = 1_000_000
"""The capacity for documents registered by clients, in characters."""

_HASH = re.compile(r"[0-9a-f]{64}")

_log = structlog.stdlib.get_logger("engine")


class BadManifest(ValueError):
    """The text is not a manifest; the message is a predicate that says why."""


class Trust(StrEnum):
    """Which operations the server executes."""

    OPEN = "open"
    """All operations. Clients may register a document and then send only its hash (Apollo's APQ)."""
    PREFER = "prefer"
    """All operations; those outside the manifest are logged. Clients cannot register documents."""
    ONLY = "only"
    """Only operations of the manifest, and only by id: the text of such an operation is refused too."""


class PersistedOperations:
    """The documents, by id."""

    def __init__(self, trust: Trust = Trust.OPEN, manifest: Mapping[str, str] | None = None) -> None:
        self._trust = trust
        self._manifest = {_bare(name): text for name, text in (manifest or {}).items()}
        self._trusted = frozenset(self._manifest.values())
        self._registered: OrderedDict[str, str] = OrderedDict()
        self._characters = 0

    def text(self, call: GraphQLRequest) -> str:
        """Return the document of a request. Raises `Refused`."""
        text = self._named(call)
        if self._trust is Trust.ONLY and not self._is_named_by_the_manifest(call):
            raise refused("DOCUMENT_NOT_TRUSTED", "This server executes only trusted documents, by id")
        if self._trust is Trust.PREFER and text not in self._trusted:
            _log.warning("document not trusted", sha256=_sha256(text))
        return text

    def trusts(self, text: str) -> bool:
        """Return whether a document is in the manifest."""
        return text in self._trusted

    def remember(self, call: GraphQLRequest) -> None:
        """Register the document of a request that has both a document and a hash; call this once it was accepted."""
        if self._trust is Trust.OPEN and call.query and call.document_id is None:
            match call.extensions.get("persistedQuery"):
                case {"sha256Hash": str(name)}:
                    self._register(name.lower(), call.query)

    def _is_named_by_the_manifest(self, call: GraphQLRequest) -> bool:
        name = call.document_id
        if name is None:
            match call.extensions.get("persistedQuery"):
                case {"sha256Hash": str(name)}:
                    pass
                case _:
                    return False
        return _bare(name) in self._manifest

    def _named(self, call: GraphQLRequest) -> str:
        if call.document_id is not None:
            return self._of_document(_bare(call.document_id), call.query)
        persisted = call.extensions.get("persistedQuery")
        if persisted is None:
            return call.query or ""
        return self._of_hash(persisted, call.query)

    def _of_document(self, name: str, query: str | None) -> str:
        text = self._manifest.get(name) or self._registered.get(name)
        if text is None and query and _sha256(query) == name:
            text = query
        if text is None:
            raise refused("PERSISTED_DOCUMENT_NOT_FOUND", "No document has this documentId")
        if query and query != text:
            raise refused("BAD_REQUEST", "query and documentId name different documents")
        return text

    def _of_hash(self, persisted: object, query: str | None) -> str:
        # Apollo's clients expect these messages and codes.
        match persisted:
            case {"version": 1, "sha256Hash": str(given)} if _HASH.fullmatch(given.lower()):
                name = given.lower()
            case _:
                raise refused("BAD_REQUEST", "persistedQuery must have version 1 and a sha256Hash of 64 hex digits")
        if query:
            if _sha256(query) != name:
                raise refused("BAD_REQUEST", "provided sha does not match query")
            return query
        text = self._manifest.get(name) or self._registered.get(name)
        if text is not None:
            return text
        if self._trust is Trust.OPEN:
            raise refused("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        raise refused("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")

    def _register(self, name: str, text: str) -> None:
        if name not in self._registered:
            self._registered[name] = text
            self._characters += len(text)
        self._registered.move_to_end(name)
        while self._characters > REGISTERED_CHARACTERS:
            _, oldest = self._registered.popitem(last=False)
            self._characters -= len(oldest)


def parse_manifest(text: str) -> Mapping[str, str]:
    """Parse a manifest of graphql-codegen, relay-compiler or Apollo's generator. Raises `BadManifest`."""
    try:
        match json.loads(text):
            case {"format": "apollo-persisted-query-manifest", "operations": list(operations)}:
                found = {operation["id"]: operation["body"] for operation in operations}
            case dict(found):
                pass
            case _:
                raise BadManifest("is not a manifest: it is not a JSON object.")
    except BadManifest:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadManifest("is not a manifest of trusted documents.") from None
    if not all(isinstance(name, str) and isinstance(text, str) and text for name, text in found.items()):
        raise BadManifest("is not a manifest: each id must map to the text of a document.")
    return found


def _bare(name: str) -> str:
    bare = name.removeprefix("sha256:")
    return bare.lower() if _HASH.fullmatch(bare.lower()) else name


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
