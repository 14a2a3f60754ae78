"""People: the export of everything that a user wrote, and the erasure of a user."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ulid import ULID

from db import ids, people
from db.audit import AuditAction
from db.models import ApiKey, AuditEntry, Base, ChatSession, Document, Grant, Message, Section, ShareLink
from db.principals import Role
from db.store import Store, Transaction
from services import audit, validation
from services.access import Action
from services.commands import long_command
from services.outcomes import Forbidden, InvalidInput, TemporarilyUnavailable

ERASE_SECONDS = 20.0
"""The time after which an erasure starts no further portion and returns `TemporarilyUnavailable`."""

Record = tuple[str, Mapping[str, Any]]
"""A part of an export: the name of its list, such as `messages`, and a JSON object."""


@dataclass(frozen=True)
class EraseUserSuccess:
    """The receipt: the id that replaces the one of the erased user, and the counts of the rows that named them."""

    user_id: str
    message_count: int
    document_count: int
    section_count: int
    chat_count: int
    grant_count: int
    share_link_count: int
    api_key_count: int
    audit_entry_count: int


EraseUserResult = EraseUserSuccess | InvalidInput | Forbidden | TemporarilyUnavailable

_FIELDS: Mapping[type[Base], tuple[str, Mapping[str, str]]] = {
    Message: (
        "messages",
        {
            "id": "id",
            "chatId": "chat_id",
            "seq": "seq",
            "role": "role",
            "content": "content",
            "clientId": "client_id",
            "createdAt": "created_at",
        },
    ),
    Document: (
        "documents",
        {
            "id": "id",
            "title": "title",
            "description": "description",
            "tags": "tags",
            "metadata": "details",
            "createdAt": "created_at",
            "deletedAt": "deleted_at",
        },
    ),
    Section: (
        "sections",
        {
            "id": "id",
            "title": "title",
            "level": "level",
            "content": "content",
            "status": "status",
            "tags": "tags",
            "metadata": "details",
            "createdAt": "created_at",
            "deletedAt": "deleted_at",
        },
    ),
    ChatSession: (
        "chats",
        {"id": "id", "sectionId": "section_id", "docId": "document_id", "createdAt": "created_at"},
    ),
    Grant: (
        "grants",
        {
            "docId": "document_id",
            "userId": "user_id",
            "role": "role",
            "grantedBy": "granted_by",
            "at": "updated_at",
        },
    ),
    ShareLink: (
        "shareLinks",
        {
            "id": "id",
            "docId": "document_id",
            "role": "role",
            "createdAt": "created_at",
            "expiresAt": "expires_at",
            "revokedAt": "revoked_at",
        },
    ),
    ApiKey: (
        "apiKeys",
        {
            "id": "id",
            "name": "name",
            "role": "role",
            "kind": "kind",
            "createdAt": "created_at",
            "expiresAt": "expires_at",
            "lastUsedAt": "last_used_at",
            "revokedAt": "revoked_at",
        },
    ),
    AuditEntry: (
        "auditEntries",
        {
            "id": "id",
            "actor": "actor",
            "action": "action",
            "subjectId": "subject_id",
            "outcome": "outcome",
            "requestId": "request_id",
            "details": "details",
            "at": "created_at",
        },
    ),
}
"""For each table: the name of its list in an export, and the column of each field. Digests of secrets are left out."""

LISTS = tuple(name for name, _ in _FIELDS.values())
"""The names of the lists in an export."""


async def export_user(store: Store, user: str) -> AsyncIterator[Record] | Forbidden:
    """Return everything that the workspace holds of a user, part by part, for owners and for the user themself.

    `user` is the id of the user. The parts come list by list; the first one is `user` and no list. Texts in the trash
    are included. Raises `DatabaseUnavailable`, also while the parts are read.
    """
    user_id = user.removeprefix(ids.USER)
    is_self = store.principal.user_id == user_id
    if not is_self and (refused := await audit.refusal(store, Action.ERASE, AuditAction.EXPORT_USER)):
        return refused
    act = partial(audit.record, store=store, act=AuditAction.EXPORT_USER, subject_id=ids.USER + user_id)
    await store.transact(act)
    return _parts(store, user_id)


async def _parts(store: Store, user_id: str) -> AsyncIterator[Record]:
    known = await store.user(user_id)
    of_user = {"id": ids.USER + user_id, "name": known and known.name, "avatarUrl": known and known.avatar_url}
    yield "user", of_user | {"kind": known and known.kind}
    for trace in people.TRACES:
        name, fields = _FIELDS[trace.kind]
        async for rows in store.rows_of_user(trace, user_id):
            records = [{field: _value(field, getattr(row, column)) for field, column in fields.items()} for row in rows]
            if trace.kind is Message:
                chats = await store.anchors_of_chats([record["chatId"] for record in records])
                for record in records:
                    record["sectionId"], record["docId"] = chats.get(record["chatId"], (None, None))
            for record in records:
                yield name, record


def _value(field: str, value: Any) -> Any:
    match field, value:
        case _, datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case "role", int():
            return Role(value).name
        case (("actor" | "grantedBy" | "userId"), str()):
            return ids.USER + value
    return value


@long_command
async def erase_user(store: Store, user: str, seconds: float | None = ERASE_SECONDS) -> EraseUserResult:
    """Erase a user for good: their messages, name and avatar; a pseudonym takes the place of their id everywhere.

    `user` is the id of the user, known to the workspace or not. Their grants are deleted, and the share links and API
    keys that they made are revoked. Documents and sections stay: they belong to the workspace. The rows are changed in
    portions; after `seconds` (None: no limit) the answer is `TemporarilyUnavailable`, and a further call continues.
    """
    user_id = user.removeprefix(ids.USER)
    if refused := await audit.refusal(store, Action.ERASE, AuditAction.ERASE_USER):
        return refused
    if invalid := validation.invalid(validation.user_id(user_id)):
        return invalid
    pseudonym = f"{people.ERASED}{ULID()}"
    until = None if seconds is None else time.monotonic() + seconds
    count: Counter[type[Base]] = Counter()
    for trace in people.TRACES:
        async for within in store.places_of_user(trace, user_id):
            if until is not None and time.monotonic() > until:
                return TemporarilyUnavailable()
            erase = partial(people.erase, trace=trace, within=within, user_id=user_id, pseudonym=pseudonym)
            count[trace.kind] += await store.transact(erase)
    receipt = EraseUserSuccess(
        pseudonym,
        message_count=count[Message],
        document_count=count[Document],
        section_count=count[Section],
        chat_count=count[ChatSession],
        grant_count=count[Grant],
        share_link_count=count[ShareLink],
        api_key_count=count[ApiKey],
        audit_entry_count=count[AuditEntry],
    )

    async def end(transaction: Transaction) -> EraseUserSuccess:
        await people.erase_user(transaction, user_id, pseudonym, is_named=count.total() > 0)
        await audit.record(
            transaction,
            store,
            AuditAction.ERASE_USER,
            ids.USER + pseudonym,
            actor=pseudonym if store.principal.user_id == user_id else None,
            **{name: value for name, value in vars(receipt).items() if isinstance(value, int)},
        )
        return receipt

    return await store.transact(end)
