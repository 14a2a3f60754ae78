"""People: the export of everything that a user wrote, and the erasure of a user."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic

from ulid import ULID

from db import ids, people
from db.audit import AuditAction
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Section,
    SectionRevision,
    ShareLink,
)
from db.store import Store, Transaction
from services import audit, validation
from services.access import Action
from services.commands import long_command
from services.outcomes import Forbidden, InvalidInput, TemporarilyUnavailable
from services.records import Record, name_of, record

ERASE_SECONDS = 20.0
"""The time after which an erasure starts no further portion and returns `TemporarilyUnavailable`."""


@dataclass(frozen=True)
class Export:
    """What a workspace holds of a user: who they are, and lists of what names them, such as `messages`."""

    user: Record
    lists: AsyncIterator[tuple[str, AsyncIterator[Record]]]
    """The lists are read one after the other, each to its end."""


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
    revision_count: int

    @property
    def counts(self) -> Mapping[str, int]:
        """The counts, by the names that they have for clients, such as `messageCount`."""
        return {_camel_case(name): value for name, value in vars(self).items() if isinstance(value, int)}


EraseUserResult = EraseUserSuccess | InvalidInput | Forbidden | TemporarilyUnavailable


async def export_user(store: Store, user: str) -> Export | Forbidden:
    """Return everything that the workspace holds of a user, for its owners and for the user themself.

    `user` is the id of the user. Texts in the trash are included. Raises `DatabaseUnavailable`, also while the lists
    are read.
    """
    user_id = user.removeprefix(ids.USER)
    is_self = store.principal.user_id == user_id
    if not is_self and (refused := await audit.refusal(store, Action.ERASE, AuditAction.EXPORT_USER)):
        return refused
    act = partial(audit.record, store=store, act=AuditAction.EXPORT_USER, subject_id=ids.USER + user_id)
    await store.transact(act)
    known = await store.user(user_id)
    of_user = {"id": ids.USER + user_id, "name": None, "avatarUrl": None, "kind": None}
    if known is not None:
        of_user |= {"name": known.name, "avatarUrl": known.avatar_url, "kind": known.kind}
    return Export(of_user, _lists(store, user_id))


async def _lists(store: Store, user_id: str) -> AsyncIterator[tuple[str, AsyncIterator[Record]]]:
    for trace in people.TRACES:
        yield name_of(trace.kind), _records(store, trace, user_id)


async def _records(store: Store, trace: people.Trace, user_id: str) -> AsyncIterator[Record]:
    async for rows in store.rows_of_user(trace, user_id):
        chats = await store.anchors_of_chats([row.chat_id for row in rows]) if trace.kind is Message else {}
        for row in rows:
            if trace.kind is Message:
                section_id, document_id = chats.get(row.chat_id, (None, None))
                yield {**record(row), "sectionId": section_id, "docId": document_id}
            else:
                yield record(row)


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
    until = None if seconds is None else monotonic() + seconds
    count: Counter[type[Base]] = Counter()
    for trace in people.TRACES:
        async for within in store.places_of_user(trace, user_id):
            if until is not None and monotonic() > until:
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
        revision_count=count[DocumentRevision] + count[SectionRevision],
    )

    async def end(transaction: Transaction) -> EraseUserSuccess:
        await people.erase_user(transaction, user_id, pseudonym, is_named=count.total() > 0)
        await audit.record(
            transaction,
            store,
            AuditAction.ERASE_USER,
            ids.USER + pseudonym,
            actor=pseudonym if store.principal.user_id == user_id else None,
            **receipt.counts,
        )
        return receipt

    return await store.transact(end)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
